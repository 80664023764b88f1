package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/audit"
	"github.com/rise-deploy/rise-registry-go/examples/internal/builders"
	"github.com/rise-deploy/rise-registry-go/examples/internal/server"
	"github.com/rise-deploy/rise-registry-go/examples/internal/service"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// running is a server that runs as a process would, but in this one.
type running struct {
	url     string  // of the credentials endpoint
	command string  // the curl line that it printed
	printed *buffer // all that it printed for its user
	output  *buffer // its log
	stop    func() error
	wait    func() error // until it ends by itself
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

var endpointURL = regexp.MustCompile(`(https?://[^?'\s]+)\?project=`)

// factory is the reference server's.
func factory() *registry.Factory {
	f, err := registry.NewFactory(builders.ECR(), oci.ClientAuthBuilder(), builders.TokenIssuer(), tokenauth.Builder())
	if err != nil {
		panic(err)
	}
	return f
}

func newServer(t *testing.T, loader configload.Loader, own service.Own, log io.Writer) (*server.Server, error) {
	t.Helper()
	stream := audit.NewStream(log, slog.LevelInfo, audit.Text)
	t.Cleanup(func() { require.NoError(t, stream.Close()) })
	return server.New(t.Context(), factory(), loader, own, stream)
}

func run(ctx context.Context, loader configload.Loader, own service.Own, process server.Process) error {
	process.Name = "server"
	return server.Run(ctx, factory(), loader, own, process)
}

// refused runs the server with a configuration that it has to refuse, and returns why and what it printed. If it starts, it stops at
// once, without an error.
func refused(t *testing.T, loader configload.Loader, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out buffer
	err := run(ctx, loader, service.Own{}, server.Process{Args: args, Stdout: &out, Stderr: &out})
	return out.String(), err
}

// start runs the server and waits until it says where it serves.
func start(t *testing.T, loader configload.Loader) *running {
	t.Helper()
	return startOwn(t, loader, service.Own{})
}

func startOwn(t *testing.T, loader configload.Loader, own service.Own) *running {
	t.Helper()
	return startProgram(t, loader, own, server.Process{})
}

// startInstalled runs it where there is that client and no other.
func startInstalled(t *testing.T, loader configload.Loader, client string) *running {
	t.Helper()
	return startProgram(t, loader, service.Own{}, server.Process{Installed: func(program string) bool { return program == client }})
}

func startProgram(t *testing.T, loader configload.Loader, own service.Own, process server.Process) *running {
	t.Helper()
	return startFactory(t, factory(), loader, own, process)
}

// startFactory runs it with another factory, as third parties do.
func startFactory(t *testing.T, f *registry.Factory, loader configload.Loader, own service.Own, process server.Process) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	s := &running{printed: &buffer{}, output: &buffer{}}
	ended := make(chan struct{})
	var result error
	go func() {
		process.Name, process.Args, process.Stdout, process.Stderr = "server", append([]string{"-log-level", "debug"}, process.Args...), w, s.output
		result = server.Run(ctx, f, loader, own, process)
		_ = w.CloseWithError(result)
		close(ended)
	}()
	s.wait = func() error { <-ended; return result }
	s.stop = func() error { cancel(); return s.wait() }
	t.Cleanup(func() { _ = s.stop() })
	silent := time.AfterFunc(time.Minute, func() { _ = w.CloseWithError(errors.New("the server doesn't say where it serves")) })
	defer silent.Stop()
	lines := bufio.NewScanner(io.TeeReader(r, s.printed))
	for s.url == "" && lines.Scan() {
		if found := endpointURL.FindStringSubmatch(lines.Text()); found != nil {
			s.url, s.command = found[1], strings.TrimSpace(lines.Text())
		}
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, s.url, "it ended before it said where it serves")
	go io.Copy(s.printed, r) //nolint:errcheck // until the pipe closes
	return s
}

// files is a loader of a configuration directory with these files, and of nothing from the environment.
func files(t *testing.T, texts map[string]string) configload.Loader {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return configload.Loader{Dir: dir, LookupEnv: func(string) (string, bool) { return "", false }}
}

type credentials struct {
	RegistryURL string `json:"registry_url"`
	Username    string `json:"username"`
	Password    string `json:"password"`
	ExpiresIn   *int   `json:"expires_in"`
	ExpiresAt   string `json:"expires_at"`
	AuthMethod  string `json:"auth_method"`
}

// ask asks the endpoint and returns the status, the body and what is in it.
func (s *running) ask(t *testing.T, token, query string) (int, string, credentials) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"?"+query, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // read
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var answer struct {
		Credentials credentials `json:"credentials"`
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	return resp.StatusCode, string(body), answer.Credentials
}

// issue asks for hello's push credential.
func (s *running) issue(t *testing.T, token string) credentials {
	t.Helper()
	status, body, c := s.ask(t, token, "project=hello")
	require.Equal(t, http.StatusOK, status, body)
	return c
}

// ociConfig is a configuration for a registry at address.
func ociConfig(address string) string {
	return fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
auth:
  tokens:
    - {token: ci-token-of-hello, subject: ci, projects: [hello], access: push}
    - {token: viewer-token-of-all, subject: viewer, projects: ["*"]}
registry: {type: oci-client-auth, registry_url: "%s", namespace: rise-apps}
`, address)
}
