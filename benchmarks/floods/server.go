package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

const (
	callerToken = "token-of-the-caller-that-is-measured"
	greedyToken = "token-of-the-one-that-is-greedy"
)

// server is the reference server in a process of its own, on a double of AWS in another.
type server struct {
	aws *exec.Cmd
	cmd *exec.Cmd
	url string // of the credentials endpoint
	dir string
}

var endpoint = regexp.MustCompile(`http://[^?'\s]+`)

// build builds the server from the clone that this program is run in.
func build(ctx context.Context, dir string) (program string, err error) {
	program = filepath.Join(dir, "server")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "./server") //nolint:gosec // this module's neighbour
	cmd.Dir, cmd.Env = filepath.Join("..", "examples"), append(os.Environ(), "GOWORK=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
}

// account is what the server has to know of the double.
type account struct{ URL, PushRoleARN, ID, Secret string }

// serveAWS is the double's process. At the lowest priority: AWS has machines of its own.
func serveAWS(latency time.Duration) {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19)
	aws := ecrtest.NewServer(ecrtest.Config{})
	aws.Inject(ecrtest.Fault{Latency: latency})
	d := aws.Setup(ecrtest.SetupOptions{})
	_ = json.NewEncoder(os.Stdout).Encode(account{aws.URL, d.PushRoleARN, d.ControllerUser.ID, d.ControllerUser.Secret})
	select {}
}

// again starts this program once more, as something else.
func again(args ...string) (cmd *exec.Cmd, firstLine string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd = exec.Command(self, args...) //nolint:gosec // this program
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	firstLine, err = bufio.NewReader(out).ReadString('\n')
	return cmd, firstLine, err
}

func end(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func start(ctx context.Context, program, dir string, realtime bool) (*server, error) {
	aws, line, err := again("-aws")
	if err != nil {
		return nil, err
	}
	s := &server{aws: aws, dir: dir}
	var d account
	if err := json.Unmarshal([]byte(line), &d); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`
server: {listen: "127.0.0.1:0", drain: 0s, ensure_repositories: true}
audit: {file: %q}
auth:
  tokens:
    - {token: %s, subject: caller, projects: [hello], access: push}
    - {token: %s, subject: greedy, projects: ["*"], access: push}
registry:
  type: ecr
  region: eu-west-1
  account_id: "123456789012"
  installation: prod
  push_role_arn: %s
  access_key_id: "${KEY_ID}"
  secret_access_key: "${KEY}"
`, filepath.Join(dir, "audit.log"), callerToken, greedyToken, d.PushRoleARN)
	if err := os.WriteFile(filepath.Join(dir, "production.yaml"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.CommandContext(ctx, program)
	if realtime {
		s.cmd = exec.CommandContext(ctx, "chrt", "--rr", "1", program) //nolint:gosec // just built; chrt becomes it
	}
	s.cmd.Env = []string{
		"RISE_CONFIG_DIR=" + dir, "RISE_CONFIG_RUN_MODE=production", "AWS_ENDPOINT_URL=" + d.URL, "KEY_ID=" + d.ID,
		"KEY=" + d.Secret, "AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent", "AWS_EC2_METADATA_DISABLED=true",
	}
	log, err := os.Create(filepath.Join(dir, "log")) //nolint:gosec // of our own folder
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the process has its own
	s.cmd.Stderr = log
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && s.url == "" {
		s.url = endpoint.FindString(lines.Text())
	}
	if s.url == "" {
		return nil, errors.Join(errors.New("the server doesn't say where it serves"), s.stop())
	}
	return s, nil
}

func (s *server) stop() error {
	defer end(s.aws)
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	return s.cmd.Wait()
}

func (s *server) address() string {
	host, _, _ := strings.Cut(strings.TrimPrefix(s.url, "http://"), "/")
	return host
}

// resident is the most memory that the process had since the last call, in MiB.
func (s *server) resident() (int, error) {
	proc := "/proc/" + strconv.Itoa(s.cmd.Process.Pid)
	text, err := os.ReadFile(proc + "/status") //nolint:gosec // of our own process
	if err != nil {
		return 0, err
	}
	_ = os.WriteFile(proc+"/clear_refs", []byte("5"), 0) // begins anew
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, errors.New("no VmHWM in " + proc)
	}
	kilobytes, err := strconv.Atoi(fields[0])
	return kilobytes >> 10, err
}

// written is how many bytes the audit log and the log have.
func (s *server) written() (n int64) {
	for _, name := range []string{"audit.log", "log"} {
		if info, err := os.Stat(filepath.Join(s.dir, name)); err == nil {
			n += info.Size()
		}
	}
	return n
}
