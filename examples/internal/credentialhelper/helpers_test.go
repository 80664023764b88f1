package credentialhelper_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/app"
	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// built is the folder with the program, made once.
var built struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	realtest.WithoutAWS()
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// helperPath builds docker-credential-rise as a release does, and returns its path.
func helperPath(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "rise-helper"); built.err != nil { //nolint:usetesting // for all tests
			return
		}
		cmd := exec.Command("go", "build", "-o", filepath.Join(built.dir, credentialhelper.Name), "../../docker-credential-rise") //nolint:noctx // once
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = errors.Join(err, errors.New(string(out)))
		}
	})
	require.NoError(t, built.err)
	return filepath.Join(built.dir, credentialhelper.Name)
}

// outcome is what a run of the program printed and ended with.
type outcome struct {
	code        int
	out, stderr string
}

// run runs the program in this process, with these variables alone: NAME=value.
func run(t *testing.T, env []string, stdin string, args ...string) outcome {
	t.Helper()
	return runFor(t.Context(), 0, env, stdin, args...)
}

func runFor(ctx context.Context, patience time.Duration, env []string, stdin string, args ...string) outcome {
	var out, stderr bytes.Buffer
	code := credentialhelper.Run(ctx, credentialhelper.Process{
		Args: args, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &stderr, LookupEnv: lookup(env), Patience: patience,
	})
	return outcome{code, out.String(), stderr.String()}
}

func lookup(env []string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := len(env) - 1; i >= 0; i-- {
			if value, ok := strings.CutPrefix(env[i], name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
}

// home is a folder of a user, with these files in it.
func home(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// service is a server of examples/server that runs in this process.
type service struct {
	url, registry, token string
	log                  *buffer
}

// buffer is for several goroutines.
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

// serve starts the server in one of its own modes.
func serve(t *testing.T, mode string) service {
	t.Helper()
	address, images := realtest.FreeAddress(t), realtest.FreeAddress(t)
	s := serveOn(t, address, images, configload.Loader{LookupEnv: lookup([]string{
		"RISE_CONFIG_RUN_MODE=" + mode, "RISE_LISTEN=" + address, "RISE_REGISTRY_LISTEN=" + images,
	})})
	s.token = "rise-dev-token"
	return s
}

// longToken is that of services that serveOn starts.
const longToken = "0123456789abcdef-of-a-test"

func serveOn(t *testing.T, address, images string, loader configload.Loader) service {
	t.Helper()
	factory, err := registry.NewFactory(app.Builders()...)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	s := service{"http://" + address, images, longToken, &buffer{}}
	ended := make(chan int, 1)
	go func() {
		ended <- app.Server(factory, app.WithContext(ctx), app.WithArgs(), app.WithOutput(io.Discard, s.log), app.WithLoader(loader))
	}()
	t.Cleanup(func() {
		cancel()
		require.Zero(t, <-ended, s.log)
	})
	require.Eventually(t, func() bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/readyz", nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", images)
		if err != nil {
			return false
		}
		return c.Close() == nil && resp.StatusCode == http.StatusOK
	}, 30*time.Second, 20*time.Millisecond, "%s", s.log)
	return s
}
