//go:build unix

package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

// shiftVariable names a file whose eight bytes are nanoseconds that a built server's wall clock is off by.
const shiftVariable = "RISE_TEST_CLOCK"

// shiftSource goes into package time of the server that is built: the wall clock alone may be moved while it runs.
const shiftSource = `package time

import (
	"syscall"
	"unsafe"
)

var shifted = mapped()

func mapped() *int64 {
	name, ok := syscall.Getenv("` + shiftVariable + `")
	if !ok {
		return new(int64)
	}
	file, err := syscall.Open(name, syscall.O_RDONLY, 0)
	if err != nil {
		panic(err)
	}
	bytes, err := syscall.Mmap(file, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return (*int64)(unsafe.Pointer(&bytes[0]))
}

func shift(sec int64) int64 { return sec + *shifted/int64(Second) }
`

// build builds the server on a package time whose wall clock can be moved. The first time that is all of the standard library, and
// takes a while; after that it comes from Go's build cache.
func build(t *testing.T) (program string) {
	t.Helper()
	dir := t.TempDir()
	run := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
	source := filepath.Join(run("env", "GOROOT"), "src", "time")
	text, err := os.ReadFile(filepath.Join(source, "time.go"))
	require.NoError(t, err)
	const read = "\tsec, nsec, mono := runtimeNow()\n"
	require.Equal(t, 1, strings.Count(string(text), read), "time.Now isn't what it was")
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for name, text := range map[string]string{
		"time.go":  strings.Replace(string(text), read, read+"\tsec = shift(sec)\n", 1),
		"shift.go": shiftSource,
	} {
		overlay.Replace[filepath.Join(source, name)] = filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	description, err := json.Marshal(overlay)
	require.NoError(t, err)
	file, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "server")
	require.NoError(t, os.WriteFile(file, description, 0o600))
	run("build", "-overlay", file, "-o", program, "../../server")
	return program
}

// process is a server in a process of its own, on a double of AWS in this one.
type process struct {
	running
	aws     *ecrtest.Server
	program string
	env     []string
	stderr  *os.File // in place of output, which is told of stdout alone then
	cmd     *exec.Cmd
	clock   string // the file of shiftVariable
}

func startProcess(t *testing.T, program, cache string) *process {
	t.Helper()
	p := newProcess(t, program, "drain: 0s", "cache: "+cache)
	p.start(t)
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		require.NoError(t, p.cmd.Wait())
	})
	return p
}

// newProcess is one that isn't started yet: keys are more of section server and, a line each, of the registry's, and sections more of the file.
func newProcess(t *testing.T, program, keys, registry string, sections ...string) *process {
	t.Helper()
	aws := ecrtest.NewServer(ecrtest.Config{})
	t.Cleanup(aws.Close)
	d := aws.Setup(ecrtest.SetupOptions{})
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "production.yaml"), fmt.Appendf(nil, `
server: {listen: "127.0.0.1:0", %s}
auth: {tokens: [{token: "${CI_TOKEN}", subject: ci, projects: [hello, "p-*"], access: push}]}
registry:
  type: ecr
  region: eu-west-1
  account_id: "123456789012"
  push_role_arn: %s
  access_key_id: "${KEY_ID}"
  secret_access_key: "${KEY}"
  %s
%s
`, keys, d.PushRoleARN, registry, strings.Join(sections, "\n")), 0o600))
	p := &process{aws: aws, program: program, clock: filepath.Join(dir, "clock")}
	p.setClock(t, 0)
	p.env = []string{
		"RISE_CONFIG_DIR=" + dir, "RISE_CONFIG_RUN_MODE=production", "CI_TOKEN=" + ciToken, "KEY_ID=" + d.ControllerUser.ID,
		"KEY=" + d.ControllerUser.Secret, "AWS_ENDPOINT_URL=" + aws.URL, "AWS_CONFIG_FILE=/nonexistent",
		"AWS_SHARED_CREDENTIALS_FILE=/nonexistent", "AWS_EC2_METADATA_DISABLED=true", shiftVariable + "=" + p.clock,
	}
	return p
}

// start starts it, once more if it has ended.
func (p *process) start(t *testing.T) {
	t.Helper()
	if p.output == nil {
		p.output = &buffer{}
	}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), p.program, "-log-level", "debug")
	p.cmd.Env, p.cmd.Stderr = p.env, p.output
	if p.stderr != nil {
		p.cmd.Stderr = p.stderr
	}
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	p.url = ""
	lines := bufio.NewScanner(stdout)
	for p.url == "" && lines.Scan() {
		if found := endpointURL.FindStringSubmatch(lines.Text()); found != nil {
			p.url = found[1]
		}
	}
	require.NotEmpty(t, p.url, "%s", p.output)
	go io.Copy(p.output, stdout) //nolint:errcheck // until the process ends
}

// setClock moves the process's wall clock, and nothing else's.
func (p *process) setClock(t *testing.T, off time.Duration) {
	t.Helper()
	text := make([]byte, 8)
	for i := range text { // as this machine has it, and so the process
		text[i] = byte(off >> (8 * i))
	}
	f, err := os.OpenFile(p.clock, os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteAt(text, 0) // not truncated: it is mapped
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// wallClock is what the process takes for the time.
func (p *process) wallClock(t *testing.T) time.Time {
	t.Helper()
	resp, err := http.Get(p.url) //nolint:noctx // of a test
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	at, err := http.ParseTime(resp.Header.Get("Date"))
	require.NoError(t, err)
	return at
}

// until asks until the answer is as it has to be.
func (p *process) until(t *testing.T, what string, is func(status int, c credentials) bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		status, _, c := p.ask(t, ciToken, "project=hello")
		if is(status, c) {
			return
		}
		require.True(t, time.Now().Before(end), "waited for %s; the last answer is %d", what, status)
		time.Sleep(50 * time.Millisecond)
	}
}

var expiration = regexp.MustCompile(`<Expiration>[^<]*</Expiration>`)

// What only a process of its own shows: how it takes a wall clock that is moved while it runs, and a signal.
func TestProcess(t *testing.T) {
	t.Parallel()
	program := build(t)
	for name, test := range map[string]func(*testing.T, string){
		"clock set back": clockSetBack, "clock set ahead": clockSetAhead, "told to forget": toldToForget, "told to forget nothing": toldToForgetNothing,
		"a log that nobody reads": unreadLog, "a log whose reader is gone": brokenLog, "an audit pipe that nobody reads": unreadAudit, "a second signal": secondSignal,
		"killed and told to end": killed, "told to reload": toldToReload, "a terminal that closes": hangUp, "the guide's reload": guidesReload,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, program)
		})
	}
}

// A wall clock that is set back doesn't make a credential live longer than AWS lets it.
func clockSetBack(t *testing.T, program string) {
	const life = 6 * time.Second
	p := startProcess(t, program, "{enabled: true}")
	remove := p.aws.Inject(ecrtest.Fault{Action: "sts:AssumeRole", Mutate: func(body []byte) []byte {
		return expiration.ReplaceAll(body, []byte("<Expiration>"+time.Now().Add(life).UTC().Format(time.RFC3339)+"</Expiration>"))
	}})
	first := p.issue(t, ciToken)
	require.Equal(t, first.Password, p.issue(t, ciToken).Password, "it is kept")
	remove()
	remove = p.aws.Inject(ecrtest.Fault{Action: "sts:AssumeRole", Status: 503}) // so that no refresh hides what is kept
	p.setClock(t, -2*time.Hour)
	require.WithinDuration(t, time.Now().Add(-2*time.Hour), p.wallClock(t), time.Minute)
	p.until(t, "the end of what is kept", func(status int, c credentials) bool {
		if status == http.StatusOK {
			require.Equal(t, first.Password, c.Password)
		}
		return status != http.StatusOK
	})
	remove()
	p.until(t, "another credential", func(status int, c credentials) bool { return status == http.StatusOK && c.Password != first.Password })
}

// One that is set ahead, as after a machine was suspended, ends what is kept at once.
func clockSetAhead(t *testing.T, program string) {
	p := startProcess(t, program, "{enabled: true}")
	first := p.issue(t, ciToken)
	require.Equal(t, first.Password, p.issue(t, ciToken).Password, "it is kept")
	p.setClock(t, 2*time.Hour)
	require.WithinDuration(t, time.Now().Add(2*time.Hour), p.wallClock(t), time.Minute)
	p.aws.ResetCalls()
	status, _, c := p.ask(t, ciToken, "project=hello")
	require.NotEqual(t, first.Password, c.Password, "%d", status)
	require.NotEmpty(t, p.aws.Calls(), "it isn't refused to be handed out, but ended")
}

func toldToForget(t *testing.T, program string) {
	p := startProcess(t, program, "{enabled: true}")
	for range 3 {
		first := p.issue(t, ciToken)
		require.Equal(t, first.Password, p.issue(t, ciToken).Password)
		p.forget(t)
		require.NotEqual(t, first.Password, p.issue(t, ciToken).Password)
	}
}

func toldToForgetNothing(t *testing.T, program string) {
	p := startProcess(t, program, "{enabled: false}")
	p.forget(t) // and isn't ended by it
	p.issue(t, ciToken)
}

// forget sends the signal, and waits until it is said to have done what it should.
func (p *process) forget(t *testing.T) {
	t.Helper()
	const said = "forgot all credentials"
	before := strings.Count(p.output.String(), said)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGUSR1))
	require.Eventually(t, func() bool { return strings.Count(p.output.String(), said) > before }, 30*time.Second, time.Millisecond)
}
