package clustertest_test

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// program is pull-secrets, built as a release builds it.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pull-secrets-*")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "pull-secrets")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	return path, build.Run()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

type replica struct {
	*process
	address string
}

// replicas starts them, each with the same flags.
type replicas struct {
	t    *testing.T
	dir  string
	args []string
	env  []string
	all  []*replica
}

func (r *replicas) start() *replica {
	r.t.Helper()
	path, err := program()
	require.NoError(r.t, err)
	address := freeAddress(r.t)
	args := append([]string{path, "--listen", address}, r.args...)
	one := &replica{start(r.t, r.dir, r.env, args...), address}
	r.all = append(r.all, one)
	return one
}

// logs is what all of them wrote.
func (r *replicas) logs() string {
	var b strings.Builder
	for _, one := range r.all {
		b.WriteString(one.output())
	}
	return b.String()
}

// metric is the value of one without labels; false if there is none, or the replica doesn't answer.
func (r *replica) metric(name string) (float64, bool) {
	answer, err := http.Get("http://" + r.address + "/metrics") //nolint:noctx // on loopback
	if err != nil {
		return 0, false
	}
	defer func() { _ = answer.Body.Close() }()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			number, err := strconv.ParseFloat(value, 64)
			return number, err == nil
		}
	}
	return 0, false
}

func (r *replica) leads() bool {
	value, ok := r.metric("rise_pull_secrets_leader")
	return ok && value == 1
}

// answers reports whether it does.
func (r *replica) answers() bool {
	_, ok := r.metric("rise_pull_secrets_leader")
	return ok
}

func (r *replica) ready() bool {
	answer, err := http.Get("http://" + r.address + "/readyz") //nolint:noctx // on loopback
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// leader is the one that leads and knows what there is; nil if there is none.
func leader(all ...*replica) *replica {
	for _, one := range all {
		if one.leads() && one.ready() {
			return one
		}
	}
	return nil
}

// end asks it to end, and returns the exit code.
func (r *replica) end() int {
	_ = r.command.Process.Signal(syscall.SIGTERM)
	<-r.done
	return r.command.ProcessState.ExitCode()
}
