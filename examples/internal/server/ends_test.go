//go:build unix

package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// end sends the signal and returns how the process ended: it has to, soon.
func (p *process) end(t *testing.T, signal syscall.Signal) error {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(signal))
	late := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	return p.cmd.Wait()
}

// onFullPipe starts the process with a stderr that takes nothing until somebody reads from what it returns.
func (p *process) onFullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	for size := 64 << 10; size > 0; size /= 2 {
		require.NoError(t, w.SetWriteDeadline(time.Now().Add(10*time.Millisecond)))
		for err = nil; err == nil; {
			_, err = w.Write(bytes.Repeat([]byte{'.'}, size))
		}
	}
	p.stderr = w
	p.start(t)
	require.NoError(t, w.Close())
	return r
}

func (p *process) status(t *testing.T) int {
	t.Helper()
	status, _, _ := p.ask(t, ciToken, "project=hello")
	return status
}

// A log whose reader has stopped holds up neither requests, whose records are elsewhere, nor the end.
func unreadLog(t *testing.T, program string) {
	path := filepath.Join(t.TempDir(), "audit.log")
	p := newProcess(t, program, "drain: 0s", "", "audit: {file: "+path+"}")
	p.onFullPipe(t)
	for range 10 {
		require.Equal(t, http.StatusOK, p.status(t))
	}
	require.NoError(t, p.end(t, syscall.SIGTERM))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 10, strings.Count(string(text), `"outcome":"issued"`))
}

// One whose reader is gone neither: Go would end the process at the first line.
func brokenLog(t *testing.T, program string) {
	p := newProcess(t, program, "drain: 0s", "", "audit: {on_failure: serve}")
	r := p.onFullPipe(t)
	require.NoError(t, r.Close())
	for range 10 {
		require.Equal(t, http.StatusOK, p.status(t))
	}
	text := p.scrape(t)
	require.NotContains(t, text, `rise_registry_audit_records_total{result="failed"} 0`)
	require.NotContains(t, text, "rise_registry_log_lines_dropped_total 0\n")
	require.NoError(t, p.end(t, syscall.SIGTERM))
}

// Records that go where nobody reads: nothing is handed out, no instance is taken out for it, and it goes on by itself.
func unreadAudit(t *testing.T, program string) {
	p := newProcess(t, program, "drain: 0s", "")
	r := p.onFullPipe(t)
	for range 10 {
		require.Equal(t, http.StatusServiceUnavailable, p.status(t))
	}
	status, _ := p.ready(t)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, p.scrape(t), "rise_registry_audit_failing 1\n")
	read := make(chan string)
	go func() {
		text, _ := io.ReadAll(r)
		read <- string(text)
	}()
	p.until(t, "the audit to go on", func(status int, _ credentials) bool { return status == http.StatusOK })
	require.NoError(t, p.end(t, syscall.SIGTERM))
	text := <-read
	require.Contains(t, text, `msg="lines are missing here: they couldn't be written"`)
	require.Contains(t, text, `msg="registry credentials" outcome=issued`)
}

func secondSignal(t *testing.T, program string) {
	p := newProcess(t, program, "drain: 10m", "")
	p.start(t)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool { status, _ := p.ready(t); return status == http.StatusServiceUnavailable }, 30*time.Second, time.Millisecond)
	require.Equal(t, http.StatusOK, p.status(t), "it goes on")
	require.Error(t, p.end(t, syscall.SIGTERM))
	require.Equal(t, 1, p.cmd.ProcessState.ExitCode())
	require.Contains(t, p.output.String(), "ended by a second signal")
}

// longTests asks for those that take minutes.
const longTests = "RISE_TEST_LONG"

// Killed, or told to end, at any moment and under load: callers who try again lose nothing, and there is a record of each credential that arrived.
func killed(t *testing.T, program string) {
	moments := 6
	if os.Getenv(longTests) != "" {
		moments = 100
	}
	path := filepath.Join(t.TempDir(), "audit.log")
	p := newProcess(t, program, "drain: 0s", "cache: {enabled: true}", "audit: {file: "+path+"}")
	address := realtest.FreeAddress(t)
	dir, _ := strings.CutPrefix(p.env[0], "RISE_CONFIG_DIR=")
	text, err := os.ReadFile(filepath.Join(dir, "production.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "production.yaml"), []byte(strings.Replace(string(text), "127.0.0.1:0", address, 1)), 0o600))
	p.start(t)
	url := p.url

	const callers = 8
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var arrived [callers]map[string]int // credentials, by their project
	var answered, tries atomic.Int64
	var load sync.WaitGroup
	for i := range callers {
		arrived[i] = map[string]int{}
		load.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				project := fmt.Sprintf("p-%d-%d", i, n/3) // new ones, and what is kept
				if !askUntilAnswered(ctx, url, project, &tries) {
					return
				}
				arrived[i][project]++
				answered.Add(1)
			}
		})
	}
	for moment := range moments {
		for before := answered.Load(); answered.Load() < before+callers; { // all are served again
			time.Sleep(time.Millisecond)
		}
		time.Sleep(rand.N(50 * time.Millisecond)) // any moment
		if moment%2 == 0 {
			require.Error(t, p.end(t, syscall.SIGKILL))
		} else {
			require.NoError(t, p.end(t, syscall.SIGTERM))
		}
		p.start(t)
	}
	for before := answered.Load(); answered.Load() < before+callers; {
		time.Sleep(time.Millisecond)
	}
	cancel()
	load.Wait()
	require.NoError(t, p.end(t, syscall.SIGTERM))

	records, torn := issuedRecords(t, path)
	require.LessOrEqual(t, torn, moments)
	total := 0
	for i := range callers {
		for project, n := range arrived[i] {
			require.GreaterOrEqual(t, records[project], n, project)
			total += n
		}
	}
	t.Logf("%d credentials arrived, of %d requests, across %d ends; %d lines of the audit log aren't whole", total, tries.Load(), moments, torn)
}

// askUntilAnswered is a caller that tries again, until it has a credential or ctx ends.
func askUntilAnswered(ctx context.Context, url, project string, tries *atomic.Int64) bool {
	for ctx.Err() == nil {
		tries.Add(1)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"?project="+project, nil)
		if err != nil {
			return false
		}
		r.Header.Set("Authorization", "Bearer "+ciToken)
		if resp, err := http.DefaultClient.Do(r); err == nil {
			var answer struct {
				Credentials credentials `json:"credentials"`
			}
			err := json.NewDecoder(resp.Body).Decode(&answer)
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK && err == nil && answer.Credentials.Password != "" {
				return true
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return false
}

// issuedRecords counts the records of issued credentials by project, and the lines that are no records.
func issuedRecords(t *testing.T, path string) (records map[string]int, torn int) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close() //nolint:errcheck // read
	records = map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var record struct{ Project, Outcome string }
		if json.Unmarshal(lines.Bytes(), &record) != nil {
			torn++
		} else if record.Outcome == "issued" {
			records[record.Project]++
		}
	}
	require.NoError(t, lines.Err())
	return records, torn
}
