package ci_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// audience is what the service expects of a job's token.
const audience = "deploy.example.com"

// world is all that a job sees: its service, the service's registry, GitHub's issuer, and a place to download the helper from.
type world struct {
	service, registry, github, downloads *httptest.Server
	program, sum                         string // the helper
	authority                            string // of downloads

	mu        sync.Mutex
	passwords map[string]string // repositories by passwords that were handed out
	asked     int               // credentials
}

const (
	gitHubRequestToken = "github-request-token-2718"
	gitHubTokenStart   = "github-id-token-3141-for-"
	gitLabTokenStart   = "gitlab-id-token-1618-for-"
	passwordStart      = "registry-password-5772-"
	passwordEnd        = `&<"\%0A%25\u0041` // what JSON and GitHub's commands have escapes for, and what looks like one
)

type job string

func (j job) Subject() string { return string(j) }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{passwords: map[string]string{}}
	w.registry = httptest.NewServer(w.images())
	w.service = httptest.NewServer(http.StripPrefix("/api/v1/registry/credentials", w.endpoint()))
	w.github = httptest.NewServer(http.HandlerFunc(issueGitHub))
	w.program = helperProgram(t)
	content, err := os.ReadFile(w.program)
	require.NoError(t, err)
	sum := sha256.Sum256(content)
	w.sum = hex.EncodeToString(sum[:])
	w.downloads = httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { _, _ = out.Write(content) }))
	w.authority = filepath.Join(t.TempDir(), "ca.pem")
	write(t, w.authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.downloads.Certificate().Raw})))
	for _, server := range []*httptest.Server{w.registry, w.service, w.github, w.downloads} {
		t.Cleanup(server.Close)
	}
	return w
}

// images is a registry that takes what the service handed out, for the one repository.
func (w *world) images() http.Handler {
	return imageregistry.New(func(r *http.Request, a imageregistry.Access) *imageregistry.Error {
		user, password, _ := r.BasicAuth()
		w.mu.Lock()
		repository, known := w.passwords[password]
		w.mu.Unlock()
		if !known || user != "rise" {
			return &imageregistry.Error{
				Status: http.StatusUnauthorized, Code: "UNAUTHORIZED", Message: "log in",
				Header: http.Header{"WWW-Authenticate": {`Basic realm="registry"`}},
			}
		}
		if a.Action != imageregistry.Ping && a.Repository != repository {
			return &imageregistry.Error{Status: http.StatusForbidden, Code: "DENIED", Message: "not yours"}
		}
		return nil
	})
}

func (w *world) host() string { return w.registry.Listener.Addr().String() }

// Repository implements provider.Provider.
func (w *world) Repository(project string, _ provider.Consumer) (name.Repository, error) {
	return name.NewRepository(w.host() + "/rise/" + project)
}

// Credentials implements provider.Provider.
func (w *world) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	target, err := w.Repository(r.Project, r.Consumer)
	if err != nil {
		return provider.Credentials{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	password := fmt.Sprintf("%s%d%s", passwordStart, w.asked, passwordEnd)
	w.passwords[password] = target.RepositoryStr()
	return provider.Credentials{
		Target: target, Access: r.Access, Method: provider.LoginCredentials, Username: "rise", Password: provider.NewSecret(password),
		ExpiresAt: time.Now().Add(time.Hour),
	}, nil
}

// endpoint lets jobs with a token for the audience have project hello.
func (w *world) endpoint() http.Handler {
	return endpoint.New(w,
		func(r *http.Request) (job, error) {
			token, _ := endpoint.BearerToken(r)
			for _, start := range []string{gitHubTokenStart, gitLabTokenStart} {
				if token.Equal(provider.NewSecret(start + audience)) {
					return job(start[:6]), nil
				}
			}
			return "", endpoint.ErrUnauthenticated
		},
		func(_ context.Context, _ job, r provider.Request) error {
			if r.Project != "hello" {
				return provider.ErrNotFound
			}
			return nil
		},
		endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))
}

func issueGitHub(out http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+gitHubRequestToken || r.URL.Query().Get("api-version") != "2.0" {
		http.Error(out, "no", http.StatusUnauthorized)
		return
	}
	_ = json.NewEncoder(out).Encode(map[string]string{"value": gitHubTokenStart + r.URL.Query().Get("audience")})
}

// helperProgram builds the helper once for all tests.
func helperProgram(t *testing.T) string {
	t.Helper()
	path, err := buildHelper()
	require.NoError(t, err)
	return path
}

var (
	helperFolder string // of the test's whole process
	buildHelper  = sync.OnceValues(func() (string, error) {
		path := filepath.Join(helperFolder, "docker-credential-rise")
		out, err := exec.CommandContext(context.Background(), "go", "build", "-o", path, "../docker-credential-rise").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return path, err
	})
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if helperFolder, err = os.MkdirTemp("", "rise-ci"); err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(helperFolder) }()
		return m.Run()
	}())
}

// machine is where a job runs: its folders, and the programs that it finds, each of which notes how it was called.
type machine struct {
	home, temp, bin string
}

// tools are what the scripts need, beside the helper.
var tools = []string{"sh", "bash", "cat", "chmod", "cp", "curl", "mkdir", "mktemp", "rm", "sha256sum", "wget"}

func newMachine(t *testing.T, without ...string) *machine {
	t.Helper()
	m := &machine{home: t.TempDir(), temp: t.TempDir(), bin: t.TempDir()}
	for _, tool := range tools {
		if path, err := exec.LookPath(tool); err == nil && !slices.Contains(without, tool) {
			m.install(t, tool, path)
		}
	}
	return m
}

// install puts a program on the machine, by links: files that this process writes can't be run while another goroutine starts a process.
func (m *machine) install(t *testing.T, tool, path string) {
	t.Helper()
	noted, err := filepath.Abs("testdata/noted.sh")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(m.bin, ".real"), 0o700))
	require.NoError(t, os.Symlink(path, filepath.Join(m.bin, ".real", tool)))
	require.NoError(t, os.Symlink(noted, filepath.Join(m.bin, tool)))
}

// calls are the programs that were run, with their arguments.
func (m *machine) calls(t *testing.T) string {
	t.Helper()
	calls, err := os.ReadFile(filepath.Join(m.bin, ".calls"))
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	require.NoError(t, err)
	return string(calls)
}

// run runs a script by a shell with these variables and no others, and returns what it printed.
func (m *machine) run(t *testing.T, variables map[string]string, shell ...string) (log string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell[0], shell[1:]...)
	cmd.Dir = m.home
	cmd.Env = []string{"HOME=" + m.home, "TMPDIR=" + m.temp, "CI=true"}
	if _, set := variables["PATH"]; !set {
		cmd.Env = append(cmd.Env, "PATH="+m.bin)
	}
	for name, value := range variables {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.True(t, err == nil || errors.As(err, &exit), "%v", err)
	return string(out), err == nil
}

// noSecrets checks a log, and how programs were called.
func (m *machine) noSecrets(t *testing.T, log string) {
	t.Helper()
	calls := m.calls(t)
	require.NotEmpty(t, calls)
	for _, secret := range []string{gitHubRequestToken, gitHubTokenStart, gitLabTokenStart, passwordStart} {
		require.NotContains(t, log, secret)
		require.NotContains(t, calls, secret)
	}
	require.NoError(t, filepath.WalkDir(m.home, func(path string, d fs.DirEntry, err error) error {
		return noSecretIn(t, path, d, err)
	}))
	require.NoError(t, filepath.WalkDir(m.temp, func(path string, d fs.DirEntry, err error) error {
		return noSecretIn(t, path, d, err)
	}))
}

func noSecretIn(t *testing.T, path string, d fs.DirEntry, err error) error {
	t.Helper()
	if err != nil || d.IsDir() {
		return err
	}
	content, err := os.ReadFile(path)
	for _, secret := range []string{gitHubRequestToken, gitHubTokenStart, gitLabTokenStart, passwordStart} {
		require.False(t, strings.Contains(string(content), secret), path)
	}
	return err
}

// pushes is a script of a job that pushes an image, by a real client.
func pushes(t *testing.T, image string) string {
	t.Helper()
	layer := filepath.Join(t.TempDir(), "layer.tar")
	write(t, layer, strings.Repeat("\x00", 1024)) // an empty archive
	return fmt.Sprintf("%s append --insecure --oci-empty-base --new_layer %s --new_tag %s", realtest.Program(t, "crane"), layer, image)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}
