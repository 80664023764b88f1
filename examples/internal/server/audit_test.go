//go:build unix

package server_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/server"
	"github.com/rise-deploy/rise-registry-go/examples/internal/service"
)

// audited is a configuration with an audit section.
func audited(section string) string {
	return ociConfig("127.0.0.1:5000") + "audit: {" + section + "}\n"
}

func (s *running) ready(t *testing.T) (int, string) {
	t.Helper()
	return get(t, http.DefaultClient, strings.TrimSuffix(s.url, server.CredentialsPath)+"/readyz")
}

// A disk that is full: nothing is handed out unseen, unless the operator says so; and only a disk of this machine's own takes it out.
func TestAuditOnAFullDisk(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	for name, tt := range map[string]struct {
		section       string
		issued, ready int
		failed        string
	}{
		"refuse is the default":   {"file: /dev/full", 503, 200, "failed"},
		"refuse, on its own disk": {"file: /dev/full, ready: true, on_failure: refuse", 503, 503, "failed"},
		"serve":                   {"file: /dev/full, on_failure: serve", 200, 200, "issued"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, files(t, map[string]string{"development.yaml": audited(tt.section)}))
			status, body := s.ready(t)
			require.Equal(t, 200, status, "nothing has failed yet: %s", body)
			for range 3 {
				answer, body, c := s.ask(t, "ci-token-of-hello", "project=hello")
				require.Equal(t, tt.issued, answer, body)
				require.Equal(t, tt.issued == 200, c.RegistryURL != "", "%s", body)
			}
			status, _, _ = s.ask(t, "guess", "project=hello")
			require.Equal(t, 401, status, "there is nothing to be lost")
			status, _, _ = s.ask(t, "ci-token-of-hello", "project=other")
			require.Equal(t, 404, status)
			status, _ = s.ready(t)
			require.Equal(t, tt.ready, status)
			text := s.scrape(t)
			require.Contains(t, text, "rise_registry_audit_failing 1\n")
			require.Contains(t, text, "rise_registry_audit_records_total{result=\"written\"} 0\n")
			require.Regexp(t, `rise_registry_audit_records_total\{result="failed"\} [5-9]`, text)
			require.Contains(t, text, `outcome="`+tt.failed+`",provider="oci-client-auth"} 3`+"\n")
			require.Equal(t, 1, strings.Count(s.output.String(), "the audit log can't be written"))
			require.ErrorContains(t, s.stop(), "no space left on device", "it holds up no end, and is said")
		})
	}
}

// The token server's exchanges are held to it, as are logins there.
func TestAuditOfExchanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	s := start(t, tokenServer(t, "server: {listen: '127.0.0.1:0'}\naudit: {file: "+path+"}\nauth:"+tokenCallers))
	exchange := func(password string) int { status, _ := s.exchange(t, password, helloScope); return status }
	grant := s.issue(t, "ci-token-of-hello").Password
	require.Equal(t, http.StatusOK, exchange(grant))
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
	require.Equal(t, http.StatusServiceUnavailable, exchange(grant))
	require.Equal(t, http.StatusServiceUnavailable, exchange("ci-token-of-hello"), "a login")
	require.Equal(t, http.StatusUnauthorized, exchange("guess"))
	require.NoError(t, os.Remove(path))
	require.Equal(t, http.StatusOK, exchange(grant))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), `"msg":"registry token","outcome":"issued"`)
	require.NotContains(t, string(text), grant)
}

// SIGTERM: who sends requests here learns that it ends, and is served meanwhile.
func TestDrain(t *testing.T) {
	t.Parallel()
	config := strings.Replace(ociConfig("127.0.0.1:5000"), `"127.0.0.1:0"`, `"127.0.0.1:0", drain: 2s`, 1)
	stop := make(chan os.Signal, 2)
	s := startProgram(t, files(t, map[string]string{"development.yaml": config}), service.Own{}, server.Process{Stop: stop})
	stop <- syscall.SIGTERM
	require.Eventually(t, func() bool { status, _ := s.ready(t); return status == http.StatusServiceUnavailable }, 2*time.Second, time.Millisecond)
	_, body := s.ready(t)
	require.Equal(t, "stopping\n", body)
	s.issue(t, "ci-token-of-hello")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.True(t, resp.Close, "connections end one after the other")
	require.NoError(t, s.wait())
	require.Contains(t, s.output.String(), "stopping drain=2s")
}

// A second signal ends it at once, whatever is going on; somebody at a terminal doesn't wait for load balancers.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	config := strings.Replace(ociConfig("127.0.0.1:5000"), `"127.0.0.1:0"`, `"127.0.0.1:0", drain: 10m`, 1)
	stop := make(chan os.Signal, 2)
	s := startProgram(t, files(t, map[string]string{"development.yaml": config}), service.Own{}, server.Process{Stop: stop})
	stop <- syscall.SIGTERM
	stop <- syscall.SIGTERM
	require.ErrorContains(t, s.wait(), "ended by a second signal")

	stop = make(chan os.Signal, 2)
	s = startProgram(t, files(t, map[string]string{"development.yaml": config}), service.Own{}, server.Process{Stop: stop})
	stop <- os.Interrupt
	require.NoError(t, s.wait())
}

// A listener of its own for who watches over it: what it has, the endpoint's has no more. Profiles and the word to forget are this machine's alone.
func TestMetricsListen(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		listen string
		own    int
	}{"on loopback": {"127.0.0.1:0", 200}, "declared": {"0.0.0.0:0", 404}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := strings.Replace(ociConfig("127.0.0.1:5000"), `"127.0.0.1:0"`, fmt.Sprintf(`"127.0.0.1:0", insecure: true, metrics_listen: "%s"`, tt.listen), 1)
			s := start(t, files(t, map[string]string{"development.yaml": config}))
			base := strings.TrimSuffix(s.url, server.CredentialsPath)
			for path, want := range map[string]int{"/metrics": 404, "/debug/pprof/": 404, "/forget": 404, "/healthz": 200, "/readyz": 200} {
				status, _ := get(t, http.DefaultClient, base+path)
				require.Equal(t, want, status, path)
			}
			own := "http://" + strings.Replace(s.metricsAddress(t), "[::]", "127.0.0.1", 1)
			for path, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/readyz": 200, "/debug/pprof/": tt.own, "/debug/pprof/heap": tt.own, server.CredentialsPath: 404} {
				status, _ := get(t, http.DefaultClient, own+path)
				require.Equal(t, want, status, path)
			}
			post := func(origin string) int {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, own+"/forget", nil)
				require.NoError(t, err)
				if origin != "" {
					r.Header.Set("Origin", origin)
				}
				resp, err := http.DefaultClient.Do(r)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				return resp.StatusCode
			}
			require.Equal(t, http.StatusForbidden, post("https://example.com"), "a page in a browser")
			require.Equal(t, tt.own, post(""))
			require.Equal(t, tt.own == 200, strings.Contains(s.output.String(), "forgot all credentials"))
		})
	}
	for section, want := range map[string]string{
		"metrics_listen: ':9090'":             "server.metrics_listen: is off loopback, which needs tls, or insecure: true",
		"metrics_listen: nowhere":             "server.metrics_listen: must be host:port",
		"drain: -1s":                          "server.drain: must be 0 to 10m0s",
		"limits: {connections: -1}":           "server.limits.connections: must be 1 to 1048576, or 0 for the default",
		"limits: {header_bytes: 100}":         "server.limits.header_bytes: must be 1024 to 1048576",
		"limits: {header_timeout: 1h}":        "server.limits.header_timeout: must be at most 1m",
		"limits: {requests_per_caller: true}": "server.limits.requests_per_caller",
	} {
		_, rest, _ := strings.Cut(ociConfig("127.0.0.1:5000"), "\nserver: {listen: \"127.0.0.1:0\"}")
		_, err := newServer(t, files(t, map[string]string{"development.yaml": "server: {" + section + "}\n" + rest}), service.Own{}, &buffer{})
		require.ErrorContains(t, err, want)
	}
	for section, want := range map[string]string{
		"on_failure: ignore": "audit.on_failure: must be refuse or serve",
		"ready: true":        "audit.ready: needs audit.file",
		"file: x, ready: true, on_failure: serve": "audit.ready: goes with on_failure: refuse alone",
		"file: /nonexistent/x":                    "audit.file: open /nonexistent/x",
	} {
		_, err := newServer(t, files(t, map[string]string{"development.yaml": audited(section)}), service.Own{}, &buffer{})
		require.ErrorContains(t, err, want)
	}
}

var metricsListening = regexp.MustCompile(`what=metrics address=(\S+)`)

func (s *running) metricsAddress(t *testing.T) string {
	t.Helper()
	var found []string
	require.Eventually(t, func() bool { found = metricsListening.FindStringSubmatch(s.output.String()); return found != nil }, 30*time.Second, time.Millisecond)
	return found[1]
}

// What is too much is refused: headers, and scrapes.
func TestLimits(t *testing.T) {
	t.Parallel()
	config := strings.Replace(ociConfig("127.0.0.1:5000"), `"127.0.0.1:0"`, `"127.0.0.1:0", limits: {header_bytes: 2048, scrapes_per_second: 1}`, 1)
	s := start(t, files(t, map[string]string{"development.yaml": config}))
	status, _, _ := s.ask(t, "ci-token-of-hello", "project=hello")
	require.Equal(t, http.StatusOK, status)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
	require.NoError(t, err)
	r.Header.Set("X-Long", strings.Repeat("x", 16<<10))
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)
	refused := false
	for range 10 {
		status, body := get(t, http.DefaultClient, strings.TrimSuffix(s.url, server.CredentialsPath)+"/metrics")
		refused = refused || status == http.StatusServiceUnavailable && strings.Contains(body, "Too many scrapes")
	}
	require.True(t, refused)
}
