//go:build unix

package server_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// reconfigure has the process's configuration read again with that in place of its cache mapping, and returns what is said of it.
func (p *process) reconfigure(t *testing.T, cache string) (said string) {
	t.Helper()
	for _, variable := range p.env {
		dir, ok := strings.CutPrefix(variable, "RISE_CONFIG_DIR=")
		if !ok {
			continue
		}
		file := filepath.Join(dir, "production.yaml")
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		text = regexp.MustCompile(`(?m)^  cache: .*$`).ReplaceAll(text, []byte("  cache: "+cache))
		require.NoError(t, os.WriteFile(file, text, 0o600))
		return p.again(t, func() { require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP)) })
	}
	require.Fail(t, "the process has no configuration")
	return ""
}

// numbers are metrics', of one scrape.
func (p *process) numbers(t *testing.T, names ...string) (all []int) {
	t.Helper()
	text := p.scrape(t)
	for _, name := range names {
		found := regexp.MustCompile("(?m)^" + name + " (.*)$").FindStringSubmatch(text)
		require.NotNil(t, found, name)
		n, err := strconv.ParseFloat(found[1], 64)
		require.NoError(t, err)
		all = append(all, int(n))
	}
	return all
}

// A process that is told to read its configuration again goes on under load, with all that it has, and keeps nothing of those before.
func toldToReload(t *testing.T, program string) {
	p := startProcess(t, program, "{max_entries: 100}")
	open := func() []int { return p.numbers(t, "go_goroutines", "process_open_fds") }
	began := p.numbers(t, "rise_registry_config_last_reload_success_timestamp_seconds")
	var before []int
	for i := range 51 {
		if i > 0 {
			require.Contains(t, p.reconfigure(t, fmt.Sprintf("{max_entries: %d}", 100+i)), "is used from now on")
		}
		l := startLoad(t, p.url, ciToken)
		l.more(t, 5*loadedProjects)
		if i%10 == 9 {
			issued := issues(p.aws)
			require.Contains(t, p.reconfigure(t, "{max_entries: 0}"), "registry.cache.max_entries: must be at least 1")
			require.Contains(t, p.reconfigure(t, fmt.Sprintf("{max_entries: %d}", 100+i)), `changed="" credentials=kept`)
			l.more(t, 5*loadedProjects)
			require.Equal(t, issued, issues(p.aws))
		}
		l.end()
		if i == 0 {
			before = open()
		}
	}
	const some = 12 // connections come and go
	after := open()
	for end := time.Now().Add(time.Minute); after[0] > before[0]+2*some || after[1] > before[1]+some; after = open() {
		require.True(t, time.Now().Before(end), "goroutines and descriptors were %d and are %d", before, after)
		time.Sleep(500 * time.Millisecond) // /metrics isn't for everybody all the time
	}
	t.Log("goroutines and descriptors were", before, "and are", after)
	require.GreaterOrEqual(t, p.numbers(t, "rise_registry_config_last_reload_success_timestamp_seconds")[0], began[0])
}

// What the guide says to paste looks at the new configuration, has it taken, and shows that it was.
func guidesReload(t *testing.T, program string) {
	bin := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../../operator").CombinedOutput()
	require.NoError(t, err, string(out))
	p := startProcess(t, program, "{enabled: true}")
	dir := filepath.Dir(p.clock)
	address, _, _ := strings.Cut(strings.TrimPrefix(p.url, "http://"), "/")
	here := strings.NewReplacer("/etc/rise", dir, "127.0.0.1:3000", address)
	paste := func() string {
		text := here.Replace(guideBlock(t, "# needs a server that runs on /etc/rise/production.yaml, with"))
		environ := append([]string{"RISE_PID=" + strconv.Itoa(p.cmd.Process.Pid), "PATH=" + bin + ":" + os.Getenv("PATH")}, p.env...)
		return pasted(t, environ, inClone+"\n"+strings.TrimSuffix(text, "\n"))
	}
	text := paste()
	require.Contains(t, text, "\nrise_registry_config_last_reload_successful 1\n")
	require.Contains(t, text, `rise_registry_config_reloads_total{result="ok"} 1`)
	require.True(t, strings.HasSuffix(text, "exit 0\n"), text)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "production.yaml"), []byte("server: {listne: x}\n"), 0o600))
	text = paste()
	require.Contains(t, text, "server.listne")
	require.NotContains(t, text, "exit 0\n")
	require.Equal(t, 1, strings.Count(p.output.String(), "the configuration was read again"), "it isn't told")
}

// What runs with a built-in configuration has nothing to read again: a terminal that closes ends it.
func hangUp(t *testing.T, program string) {
	p := &process{program: program, clock: filepath.Join(t.TempDir(), "clock")}
	p.setClock(t, 0)
	p.env = []string{"RISE_LISTEN=127.0.0.1:0", "RISE_REGISTRY_LISTEN=" + realtest.FreeAddress(t), shiftVariable + "=" + p.clock}
	p.start(t)
	status, _ := get(t, http.DefaultClient, p.url)
	require.Equal(t, http.StatusUnauthorized, status)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	var ended *exec.ExitError
	require.ErrorAs(t, p.cmd.Wait(), &ended)
	require.Equal(t, syscall.SIGHUP, ended.Sys().(syscall.WaitStatus).Signal())
}
