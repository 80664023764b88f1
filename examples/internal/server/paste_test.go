//go:build unix

package server_test

import (
	"context"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// block is a fenced block of a page.
type block struct {
	language, text string
	line           int
}

var fenced = regexp.MustCompile("(?m)^( *)```(\\w+)\n((?s:.*?))^ *```$")

func blocksOf(t *testing.T, page string) (blocks []block) {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	for _, m := range fenced.FindAllSubmatchIndex(text, -1) {
		blocks = append(blocks, block{string(text[m[4]:m[5]]), string(text[m[6]:m[7]]), 1 + strings.Count(string(text[:m[0]]), "\n")})
	}
	return blocks
}

// tooLong are lines that a test can't wait for, with what it runs in their place.
var tooLong = strings.NewReplacer("go test work\n", "go list work > /dev/null\n")

// What README shows can be pasted as it stands, block by block, and prints what it says. Ports are others, as somebody may use those.
func TestPasteREADME(t *testing.T) {
	t.Parallel()
	engine := realtest.Engine(t)
	realtest.Program(t, "curl")
	endpoint, registry := realtest.FreeAddress(t), realtest.FreeAddress(t)
	here := strings.NewReplacer("127.0.0.1:3000", endpoint, "127.0.0.1:5001", registry)
	environ := []string{engine, "DOCKER_CONFIG=" + t.TempDir(), "RISE_LISTEN=" + endpoint, "RISE_REGISTRY_LISTEN=" + registry, "GOWORK="} // as in a clone
	for _, name := range []string{"GOPATH", "GOCACHE", "GOPROXY", "GOFLAGS", "GOMODCACHE"} {
		environ = append(environ, name+"="+goEnv(t, name))
	}
	out, refused, pastes := "", true, 0
	stop := func() {}
	defer func() { stop() }()
	for _, b := range blocksOf(t, "../../../README.md") {
		text := here.Replace(tooLong.Replace(b.text))
		switch {
		case b.language == "console":
			require.Fail(t, "a session can't be pasted", "line %d", b.line)
		case b.language == "sh" && strings.Contains(text, "./examples/server"):
			stop()
			stop = serving(t, environ, text, "http://"+endpoint+"/readyz")
			pastes++
		case b.language == "sh":
			require.NotContains(t, text, "/tmp", "a name that others can foresee may be theirs")
			require.True(t, refused, "before line %d", b.line)
			out = pasted(t, environ, "cd ../../..\n"+strings.TrimSuffix(text, "\n"))
			refused = strings.HasSuffix(out, "exit 0\n")
			pastes++
		case strings.HasPrefix(b.text, "denied: "):
			require.Contains(t, out, strings.TrimSpace(b.text), "line %d", b.line)
			require.False(t, refused)
			refused = true
		}
	}
	require.True(t, refused, out)
	require.Equal(t, 7, pastes)
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// serving runs a command that serves, until what it returns is called.
func serving(t *testing.T, environ []string, command, ready string) (stop func()) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), realtest.Program(t, "sh"), "-c", "exec "+strings.Replace(command, "RISE_", "env RISE_", 1))
	cmd.Dir, cmd.Env = "../../..", append(os.Environ(), environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run's child too
	var log buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(t, cmd.Start())
	stop = func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
	}
	require.Eventually(t, func() bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ready, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(r)
		return err == nil && resp.Body.Close() == nil
	}, 2*time.Minute, 20*time.Millisecond, log.String())
	return stop
}

// inClone has "go run" run what is built already, as in a clone, whose folder stays clean.
const inClone = `go() { case "$*" in "run ./examples/"*) "${2##*/}" "${@:3}" ;; *) command go "$@" ;; esac; }`

// built are the programs that the tests share.
var built struct {
	sync.Once
	dir string
	out []byte
	err error
}

// programs returns a folder of server and operator, built once.
func programs(t *testing.T) (dir string) {
	t.Helper()
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "rise-programs-"); built.err == nil { //nolint:usetesting // it outlives the test
			built.out, built.err = exec.CommandContext(context.WithoutCancel(t.Context()), "go", "build", "-o", built.dir, "../../server", "../../operator").CombinedOutput()
		}
	})
	require.NoError(t, built.err, string(built.out))
	return built.dir
}

// forgetPrograms removes them.
func forgetPrograms() { _ = os.RemoveAll(built.dir) }

// A block of commands in docs/ can be pasted as it stands, or says in its first line what it needs.
func TestPasteDocs(t *testing.T) {
	t.Parallel()
	bin := programs(t)
	pages, err := fs.Glob(os.DirFS("../../../docs"), "*.md")
	require.NoError(t, err)
	callers, err := fs.Glob(os.DirFS("../../../docs"), "callers/*.md")
	require.NoError(t, err)
	pages = append(pages, callers...)
	for _, page := range pages {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, b := range blocksOf(t, filepath.Join("../../../docs", page)) {
				first, _, _ := strings.Cut(strings.TrimSpace(b.text), "\n")
				switch {
				case strings.HasPrefix(first, "# needs "):
				case b.language == "console":
					require.Fail(t, "a session can't be pasted, so it says what it needs", "%s:%d", page, b.line)
				case b.language == "sh":
					got := pasted(t, []string{"PATH=" + bin + ":" + os.Getenv("PATH")}, inClone+"\ncd "+dir+"\n"+strings.TrimSuffix(b.text, "\n"))
					require.True(t, strings.HasSuffix(got, "exit 0\n"), "%s:%d\n%s", page, b.line, got)
				}
			}
		})
	}
}
