//go:build unix

package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/rise-deploy/rise-registry-go"

// guide is the module that docs/adding-a-provider.md shows, as somebody would have it who copied each block into the file that its first
// line names, and nothing else.
type guide struct {
	dir string
	env []string
}

func newGuide(t *testing.T) *guide {
	t.Helper()
	page, err := os.ReadFile("../../docs/adding-a-provider.md")
	require.NoError(t, err)
	g := &guide{dir: t.TempDir(), env: append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off")}
	named := regexp.MustCompile(`^(?://|#) (\S+)\n`)
	names := []string{}
	for _, block := range regexp.MustCompile("(?ms)^```(?:go|yaml)\n(.*?)^```$").FindAllSubmatch(page, -1) {
		name := named.FindSubmatch(block[1])
		require.NotNil(t, name, "a block that no file is named for:\n%s", block[1])
		path := filepath.Join(g.dir, string(name[1]))
		require.True(t, filepath.IsLocal(string(name[1])), path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, block[1], 0o600))
		names = append(names, string(name[1]))
	}
	require.ElementsMatch(t, []string{"vending.go", "vending_test.go", "cmd/vending-server/main.go", "cmd/vending-operator/main.go", "config/development.yaml"}, names)

	// go get and go mod tidy, of the library as it is here and with what it needs, without a network.
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, "examples", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(g.dir, name), text, 0o600))
	}
	g.run(t, "go", "mod", "edit", "-module", "example.com/vending", "-require", module+"/examples@v0.0.0",
		"-replace", module+"="+root, "-replace", module+"/examples="+filepath.Join(root, "examples"))
	return g
}

func (g *guide) command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	cmd.Dir, cmd.Env = g.dir, g.env
	return cmd
}

// run runs a command that has to succeed and returns what it printed.
func (g *guide) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := g.command(t, name, args...).CombinedOutput()
	require.NoError(t, err, "%s %s\n%s", name, args, out)
	return string(out)
}

// A provider can be written from the guide: what it shows is vetted, passes the suite, and runs under server and operator.
func TestAddingAProvider(t *testing.T) {
	t.Parallel()
	g := newGuide(t)
	gofmt := g.run(t, "gofmt", "-l", ".")
	require.Empty(t, gofmt)
	for _, name := range []string{"server", "operator"} {
		source, err := os.ReadFile(filepath.Join(g.dir, "cmd/vending-"+name+"/main.go"))
		require.NoError(t, err)
		_, shown, _ := bytes.Cut(source, []byte("\n\n")) // the file's name isn't part of the program
		require.LessOrEqual(t, bytes.Count(shown, []byte("\n")), 20, "lines of %s", name)
	}
	suiteSource, err := os.ReadFile(filepath.Join(g.dir, "vending_test.go"))
	require.NoError(t, err)
	harness := regexp.MustCompile(`(?ms)^func newHarness.*?^}\n`).Find(suiteSource)
	require.NotEmpty(t, harness)
	require.Less(t, bytes.Count(harness, []byte("\n")), 30, "lines of the harness")
	g.run(t, "go", "vet", "./...")
	suite := g.run(t, "go", "test", "-v", "./...")
	require.Contains(t, suite, "--- PASS: TestVending/scoping/mount-another")
	require.Equal(t, []string{
		"requests/all-projects", "scoping/all-projects", "scoping/former-owner", "scoping/suspended", "errors/grants-less", "errors/grants-more",
	}, skipped(suite), "what the page declares")
	g.run(t, "go", "build", "-o", ".", "./cmd/...")

	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var question struct{ Repository, Access string }
		if r.URL.Path != "/logins" || r.Header.Get("Authorization") != "Bearer hunter2-key" || json.NewDecoder(r.Body).Decode(&question) != nil {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"username": question.Repository + "." + question.Access, "password": "hunter2-login", "expires_in": 600})
	}))
	t.Cleanup(api.Close)
	g.env = append(g.env, "CI_TOKEN=token-of-the-ci-job", "VENDING_KEY=hunter2-key", "VENDING_URL="+api.URL, "LISTEN=127.0.0.1:0")

	text := g.run(t, "./vending-operator", "check-config")
	require.Contains(t, text, "  type: vending\n")
	require.NotContains(t, text, "hunter2")
	require.Contains(t, g.run(t, "./vending-operator", "credentials", "hello", "--access", "pull"), `"username":"hello.pull","password":"hunter2-login"`)
	require.Contains(t, g.run(t, "./vending-operator", "credentials", "hello", "--section", "registry"), `"registry_url":"registry.example.com/hello"`)

	var log bytes.Buffer
	server := g.command(t, "./vending-server", "-log-level", "debug")
	server.Stderr = &log
	stdout, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	stop := func() error { _ = server.Process.Signal(syscall.SIGTERM); return server.Wait() }
	t.Cleanup(func() { _ = stop() })
	url := ""
	for lines := bufio.NewScanner(stdout); url == "" && lines.Scan(); {
		url = regexp.MustCompile(`http://[^']+`).FindString(lines.Text())
	}
	require.NotEmpty(t, url, "%s", &log)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer token-of-the-ci-job")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // read
	var answer bytes.Buffer
	_, err = answer.ReadFrom(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, answer.String())
	require.Contains(t, answer.String(), `"username":"hello.push","password":"hunter2-login"`)
	require.NoError(t, stop())
	require.Contains(t, log.String(), "provider=vending")
	require.NotContains(t, log.String(), "hunter2")
}

// skipped are the suite's subtests that were.
func skipped(output string) (names []string) {
	for line := range strings.Lines(output) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "--- SKIP: TestVending/"); ok {
			names = append(names, strings.Fields(name)[0])
		}
	}
	return names
}
