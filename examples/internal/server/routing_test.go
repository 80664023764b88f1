//go:build linux

package server_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

const (
	routedProjects = 300
	replicas       = 3
	// clientAddress isn't the proxy's own, on systems where all of 127/8 is loopback.
	clientAddress = "127.0.0.2"
)

// balancers are the guide's proxies that route by project.
var balancers = map[string]struct {
	file, around string
	args         []string
	checks       bool // looks at /readyz
}{
	"nginx":   {"# /etc/nginx/conf.d/rise.conf", "worker_processes 2; " + proxies["nginx"].around, proxies["nginx"].args, false},
	"haproxy": {"# /etc/haproxy/haproxy.cfg", "GUIDE", []string{"-db", "-f", "DIR/proxy.conf"}, true},
}

// replica is a server in a process of its own, which can be killed and come back.
type replica struct {
	address, program string
	environ          []string
	cmd              *exec.Cmd
	log              string // a file: what it has in it when an answer comes was written before
}

func (r *replica) start(t *testing.T) {
	t.Helper()
	log, err := os.Create(r.log)
	require.NoError(t, err)
	defer log.Close() //nolint:errcheck // the process has its own
	r.cmd = exec.Command(r.program)
	r.cmd.Env, r.cmd.Stderr = r.environ, log
	realtest.Serve(t, r.address, r.cmd)
}

func (r *replica) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, r.cmd.Process.Kill())
	_ = r.cmd.Wait() // it was killed
}

// records are how often a text is in its audit log, since it was started last.
func (r *replica) records(text string) int {
	log, err := os.ReadFile(r.log)
	if err != nil {
		return 0
	}
	return strings.Count(string(log), text)
}

// answers are how often it was asked for a project.
func (r *replica) answers(project string) int { return r.records(" project=" + project + " ") }

// projects are those that it was asked for.
func (r *replica) projects() map[string]bool {
	log, _ := os.ReadFile(r.log)
	projects := map[string]bool{}
	for _, found := range regexp.MustCompile(` project=(\S+) `).FindAllSubmatch(log, -1) {
		projects[string(found[1])] = true
	}
	return projects
}

// fleet are replicas behind a proxy, on one double of AWS.
type fleet struct {
	aws      *ecrtest.Server
	replicas []*replica
	// drains has what is in front of the last replica answer /readyz as one that is about to end.
	drains   atomic.Bool
	client   *http.Client
	url      string
	projects []string

	ssl       string
	addresses []string // of the replicas, as the proxy knows them
}

func startFleet(t *testing.T, program, name string) *fleet {
	t.Helper()
	realtest.Program(t, name) // before anything is started
	f := &fleet{aws: ecrtest.NewServer(ecrtest.Config{})}
	t.Cleanup(f.aws.Close)
	d := f.aws.Setup(ecrtest.SetupOptions{})
	for i := range routedProjects {
		f.projects = append(f.projects, fmt.Sprintf("project-%d", i))
	}
	dir := t.TempDir()
	ssl, authorities := secureFolders(t, dir)
	text := guideBlock(t, "# each replica's /etc/rise/production.yaml")
	for i := range replicas {
		folder := filepath.Join(dir, fmt.Sprintf("replica-%d", i))
		r := &replica{address: realtest.FreeAddress(t), program: program, log: filepath.Join(folder, "log")}
		require.NoError(t, os.Mkdir(folder, 0o700))
		config := strings.NewReplacer("0.0.0.0:3000", r.address, "10.0.0.10/32", "127.0.0.1/32").Replace(text) + fmt.Sprintf(`
auth: {tokens: [{token: "${CI_TOKEN}", subject: ci, projects: ["*"], access: push}]}
registry: {type: ecr, region: eu-west-1, account_id: "123456789012", push_role_arn: %s, access_key_id: "${KEY_ID}", secret_access_key: "${KEY}"}
`, d.PushRoleARN)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "production.yaml"), []byte(config), 0o600))
		r.environ = []string{
			"RISE_CONFIG_DIR=" + folder, "RISE_CONFIG_RUN_MODE=production", "CI_TOKEN=" + ciToken, "KEY_ID=" + d.ControllerUser.ID, "KEY=" + d.ControllerUser.Secret,
			"AWS_ENDPOINT_URL=" + f.aws.URL, "AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent", "AWS_EC2_METADATA_DISABLED=true",
		}
		r.start(t)
		f.replicas = append(f.replicas, r)
	}
	behind := f.replicas[replicas-1].address
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: behind})
	draining := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.drains.Load() && r.URL.Path == "/readyz" {
			http.Error(w, "stopping", http.StatusServiceUnavailable)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(draining.Close)

	certificate, err := os.ReadFile(filepath.Join(authorities, "registry.crt"))
	require.NoError(t, err)
	key, err := os.ReadFile(filepath.Join(ssl, "registry.key"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(ssl, "rise.pem"), slices.Concat(certificate, key), 0o600))
	for from, to := range map[string]string{"registry.crt": "rise.crt", "registry.key": "rise.key"} {
		require.NoError(t, os.Rename(filepath.Join(ssl, from), filepath.Join(ssl, to)))
	}
	f.ssl, f.addresses = ssl, []string{f.replicas[0].address, f.replicas[1].address, draining.Listener.Addr().String()}
	f.url = f.proxy(t, name, guideBlock(t, balancers[name].file))

	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certificate))
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddress)}}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DialContext: dialer.DialContext, MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	f.client = &http.Client{Transport: transport}
	return f
}

// proxy starts one by its file in the guide, and returns its URL.
func (f *fleet) proxy(t *testing.T, name, text string) (url string) {
	t.Helper()
	balancer, program, host := balancers[name], realtest.Program(t, name), realtest.FreeAddress(t)
	dir := t.TempDir()
	text = strings.NewReplacer("listen 443", "listen "+host, "bind :443", "bind "+host, "/etc/ssl", f.ssl, "fail_timeout=10s", "fail_timeout=1s",
		"10.0.0.1:3000", f.addresses[0], "10.0.0.2:3000", f.addresses[1], "10.0.0.3:3000", f.addresses[2]).Replace(text)
	text = strings.NewReplacer("GUIDE", text, "DIR", dir).Replace(balancer.around)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "proxy.conf"), []byte(text), 0o600))
	args := make([]string, len(balancer.args))
	for i, arg := range balancer.args {
		args[i] = strings.ReplaceAll(arg, "DIR", dir)
	}
	realtest.Serve(t, host, exec.Command(program, args...))
	return "https://" + host
}

// ask asks for a project's credential by one of the endpoint's two paths, once, and looks whether it is that project's.
func (f *fleet) ask(t *testing.T, project string, deployment bool) error {
	path := "/api/v1/registry/credentials?access=push&project=" + project
	if deployment {
		path = "/api/v1/projects/" + project + "/deployments/7/registry-credentials?project=other"
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+ciToken)
	r.Header.Set("X-Forwarded-For", "192.0.2.66") // what a client says of itself
	resp, err := f.client.Do(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !bytes.Contains(body, fmt.Appendf(nil, `/rise/%s"`, project)) {
		return fmt.Errorf("%s: %d for %s", path, resp.StatusCode, project)
	}
	return nil
}

// round asks for every project, some at once: each is answered, at the first attempt.
func (f *fleet) round(t *testing.T, deployment bool) {
	t.Helper()
	failures := make([]error, 8)
	var next atomic.Int64
	var wait sync.WaitGroup
	for i := range failures {
		wait.Go(func() {
			for k := next.Add(1) - 1; k < routedProjects; k = next.Add(1) - 1 {
				failures[i] = errors.Join(failures[i], f.ask(t, f.projects[k], deployment))
			}
		})
	}
	wait.Wait()
	require.NoError(t, errors.Join(failures...))
}

// issues are those since it was called last, by project.
func (f *fleet) issues() map[string]int {
	issues := map[string]int{}
	for _, call := range f.aws.Calls() {
		if call.Name() == "sts:AssumeRole" {
			issues[strings.TrimPrefix(call.Form.Get("RoleSessionName"), "rise-push-")]++
		}
	}
	f.aws.ResetCalls()
	return issues
}

// until asks for a project until one of the replicas is the one that answers.
func (f *fleet) until(t *testing.T, project string, answers ...*replica) {
	t.Helper()
	total := func() (n int) {
		for _, r := range answers {
			n += r.answers(project)
		}
		return n
	}
	before := total()
	require.Eventually(t, func() bool {
		err := f.ask(t, project, false)
		return err == nil && total() > before // the record is written before the answer
	}, 30*time.Second, 50*time.Millisecond, project)
}

func onceEach(projects []string) map[string]int {
	once := map[string]int{}
	for _, project := range projects {
		once[project] = 1
	}
	return once
}

// The guide's proxies route by project: three replicas ask AWS once for each. One that drains, one that is killed and one that comes back empty cost an issue more for
// each project of theirs, none for the others', and no request fails. So does one that is no longer in the proxy's file. Nobody notices that one is stopped.
func TestGuidesRouting(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "server")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../server").CombinedOutput()
	require.NoError(t, err, string(out))
	for name, balancer := range balancers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, program, name)
			first, last := f.replicas[0], f.replicas[replicas-1]

			f.round(t, false)
			require.Equal(t, onceEach(f.projects), f.issues())
			f.round(t, true)
			require.Empty(t, f.issues(), "Rise's path leads where the query does")
			owned := make([][]string, replicas)
			for i, r := range f.replicas {
				for project := range r.projects() {
					owned[i] = append(owned[i], project)
				}
			}
			require.ElementsMatch(t, f.projects, slices.Concat(owned...), "each in one replica")
			for i, r := range f.replicas {
				require.Greater(t, len(owned[i]), routedProjects/replicas/3, "a fair part")
				require.Equal(t, r.records(" outcome=issued "), r.records(" source_addr="+clientAddress+" "),
					"whom limits and the audit log take for the caller")
			}
			resp, err := f.client.Get(f.url + "/metrics") //nolint:noctx // of a test
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, http.StatusNotFound, resp.StatusCode)

			canary := owned[replicas-1][0]
			f.drains.Store(true)
			if balancer.checks {
				f.until(t, canary, f.replicas[:replicas-1]...)
				f.round(t, false)
				require.Equal(t, onceEach(owned[replicas-1]), f.issues(), "what drains")
				f.drains.Store(false)
				f.until(t, canary, last)
			}
			f.round(t, false)
			require.Empty(t, f.issues(), "what wasn't ended has kept its credentials")

			first.kill(t)
			noticed := owned[0][0]
			require.NoError(t, f.ask(t, noticed, false))
			f.round(t, true)
			issues := f.issues()
			// The request that notices goes to a neighbour on the ring, which with HAProxy needn't be the one that has the project from then on.
			require.LessOrEqual(t, issues[noticed], 2)
			issues[noticed] = 1
			require.Equal(t, onceEach(owned[0]), issues, "what was killed")
			f.round(t, false)
			require.Empty(t, f.issues())

			first.start(t)
			f.until(t, noticed, first)
			f.round(t, false)
			require.Equal(t, onceEach(owned[0]), f.issues(), "what came back empty")
			f.round(t, true)
			require.Empty(t, f.issues())

			line := regexp.MustCompile("(?m)^ +server .*10.0.0.2:3000.*\n")
			text := guideBlock(t, balancer.file)
			require.Len(t, line.FindAllString(text, -1), 1)
			whole := f.url
			f.url = f.proxy(t, name, line.ReplaceAllString(text, ""))
			f.round(t, false)
			require.Equal(t, onceEach(owned[1]), f.issues(), "what was taken out of the file")

			f.url = whole
			stopping, ended := f.replicas[1].cmd, make(chan error, 1)
			require.NoError(t, stopping.Process.Signal(syscall.SIGTERM))
			go func() { ended <- stopping.Wait() }()
			for over := false; !over; {
				f.round(t, false)
				select {
				case err := <-ended:
					require.NoError(t, err)
					over = true
				case <-time.After(time.Second): // it may take its time
				}
			}
			f.round(t, true)
			for project := range f.issues() {
				require.Contains(t, owned[1], project, "what was stopped")
			}
		})
	}
}

// ingress-nginx gets the map that nginx was run with.
func TestGuidesIngress(t *testing.T) {
	t.Parallel()
	words := func(text string) []string {
		_, text, found := strings.Cut(text, "map $uri $rise_project {")
		require.True(t, found)
		text, _, _ = strings.Cut(text, "\n}")
		lines := strings.Split(text, "\n")
		for i := range lines {
			lines[i], _, _ = strings.Cut(lines[i], " #")
		}
		return strings.Fields(strings.Join(lines, "\n"))
	}
	ingress := guideBlock(t, "# ingress-nginx: the Ingress of the endpoint")
	require.Equal(t, words(guideBlock(t, balancers["nginx"].file)), words(strings.ReplaceAll(ingress, "\n    ", "\n")))
	require.Contains(t, ingress, "upstream-hash-by: $rise_project ")
}

// What the guide has for Envoy finds the project where the other proxies do.
func TestGuidesEnvoy(t *testing.T) {
	t.Parallel()
	text := guideBlock(t, "# envoy.yaml")
	require.Contains(t, text, `header_name: ":path"`)
	quoted := func(key string) string {
		found := regexp.MustCompile(key+": '(.*)'").FindAllStringSubmatch(text, -1)
		require.Len(t, found, 1, key)
		return found[0][1]
	}
	pattern := regexp.MustCompile(quoted("regex")) // both are RE2
	substitution := strings.NewReplacer(`\1`, "${1}", `\2`, "${2}").Replace(quoted("substitution"))
	for path, want := range map[string]string{
		"/api/v1/registry/credentials?project=hello":                               "hello",
		"/api/v1/registry/credentials?access=pull&project=hello&consumer=cluster":  "hello",
		"/api/v1/registry/credentials?otherproject=no&project=hello":               "hello",
		"/api/v1/registry/credentials?project=hello&project=other":                 "hello",
		"/api/v1/projects/hello/deployments/7/registry-credentials":                "hello",
		"/api/v1/projects/hello/deployments/7/registry-credentials?project=other":  "hello",
		"/api/v1/projects/hello/deployments/7/registry-credentials?a=b&project=no": "hello",
		"/api/v1/registry/credentials?otherproject=no":                             "/api/v1/registry/credentials?otherproject=no",
	} {
		require.Equal(t, want, pattern.ReplaceAllString(path, substitution), path)
	}
}
