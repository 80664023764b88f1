package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"log/slog"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/audit"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// output is a stream that may fail.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	err  error
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
}

var (
	errFull = errors.New("no space left on device")
	issued  = endpoint.Event{
		Subject: "ci", RemoteAddr: "192.0.2.1:1234", Project: "hello", Access: provider.Push, Provider: "ecr", Outcome: endpoint.Issued, Status: http.StatusOK,
		Duration: time.Millisecond, Details: []slog.Attr{slog.String("session_name", "rise-push-hello")},
	}
)

func unauthenticated(from string) endpoint.Event {
	return endpoint.Event{
		RemoteAddr: from, Provider: "ecr", Outcome: endpoint.Refused, Status: http.StatusUnauthorized, Code: "unauthenticated", Duration: time.Microsecond,
		Err: fmt.Errorf("no such token: %w", endpoint.ErrUnauthenticated),
	}
}

// in runs a test of an audit log that goes to the log's stream.
func in(t *testing.T, c config.Audit, test func(t *testing.T, out *output, l *audit.Log)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		out := &output{}
		stream := audit.NewStream(out, slog.LevelError, audit.Text)
		l, err := audit.Open(c, stream.Writer, stream.Format, stream.Logger)
		require.NoError(t, err)
		test(t, out, l)
		require.NoError(t, l.Close())
		_ = stream.Close()
	})
}

// A flood of strangers, 10,000 a second where that is the most that can be written, in which nothing is lost: neither the count nor what matters.
func TestFlood(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		perSecond int // with which the test is quick
		from      func(i int) string
	}{
		"one address":    {1_000, func(int) string { return "198.51.100.1:1234" }},
		"many addresses": {10_000, func(i int) string { return fmt.Sprintf("10.%d.%d.%d:1234", i%250, i/250%250, i/62500) }},
		"one network":    {1_000, func(i int) string { return fmt.Sprintf("[2001:db8::%x]:1234", i%65536) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, config.Audit{}, func(t *testing.T, out *output, l *audit.Log) {
				t.Helper()
				const minutes = 1
				perSecond, from := tt.perSecond, tt.from
				before := 0
				for minute := range minutes {
					for second := range 60 {
						for i := range perSecond {
							e := unauthenticated(from(second*perSecond + i))
							if i%2 == 1 { // the token server's as well
								require.NoError(t, l.Exchange(t.Context(), tokenissuer.Exchange{RemoteAddr: e.RemoteAddr, Outcome: tokenissuer.Refused, Status: 401, Code: "UNAUTHORIZED", Err: e.Err}))
								continue
							}
							require.NoError(t, l.Event(t.Context(), e))
						}
						require.NoError(t, l.Event(t.Context(), issued), "which nobody's flood hides")
						time.Sleep(time.Second)
					}
					size := len(out.String())
					require.Less(t, size-before, 1_000_000, "bytes of minute %d", minute)
					before = size
				}
				require.NoError(t, l.Close())
				text := out.String()
				require.Equal(t, minutes*60, strings.Count(text, "outcome=issued"))
				whole, more := strings.Count(text, "no such token"), 0
				for line := range strings.Lines(text) {
					if _, rest, ok := strings.Cut(line, " more="); ok {
						var n int
						_, err := fmt.Sscanf(rest, "%d", &n)
						require.NoError(t, err)
						more += n
					}
				}
				require.Equal(t, minutes*60*perSecond, whole+more, "each is written or counted")
				require.Equal(t, uint64(more), l.Stats().LeftOut)
			})
		})
	}
}

// A few refusals are all written, and so is each of somebody known, but for what needs no effort.
func TestWritten(t *testing.T) {
	t.Parallel()
	in(t, config.Audit{}, func(t *testing.T, out *output, l *audit.Log) {
		t.Helper()
		known := issued
		known.Outcome, known.Status, known.Code, known.Details = endpoint.Refused, http.StatusNotFound, "not_found", nil
		limited := known
		limited.Status, limited.Code = http.StatusTooManyRequests, "too_many_requests"
		for range 20 {
			require.NoError(t, l.Event(t.Context(), known))
			require.NoError(t, l.Event(t.Context(), limited))
			require.NoError(t, l.Event(t.Context(), unauthenticated("192.0.2.7:1")))
		}
		require.NoError(t, l.Event(t.Context(), unauthenticated("192.0.2.8:1")))
		count := func(text string) int { return strings.Count(out.String(), text) }
		require.Equal(t, 20, count("code=not_found"))
		require.Equal(t, 5, count("code=too_many_requests"))
		require.Equal(t, 5, count("remote_addr=192.0.2.7:1"))
		require.Equal(t, 1, count("remote_addr=192.0.2.8:1"))
		time.Sleep(time.Minute + time.Second)
		require.Equal(t, 1, count(`code=too_many_requests sender="subject ci" more=15 since=2000-01-01T00:00:00`))
		require.Equal(t, 1, count("code=unauthenticated sender=192.0.2.7 more=15 since=2000-01-01T00:00:00"))
		require.NoError(t, l.Event(t.Context(), unauthenticated("192.0.2.7:1")))
		require.Equal(t, 6, count("remote_addr=192.0.2.7:1"), "a new minute")
	})
}

// What happens when nothing can be written is the operator's choice; either is counted, and said once a minute.
func TestOnFailure(t *testing.T) {
	t.Parallel()
	in(t, config.Audit{}, func(t *testing.T, out *output, l *audit.Log) {
		t.Helper()
		out.fail(errFull)
		require.ErrorIs(t, l.Event(t.Context(), issued), errFull)
		require.ErrorIs(t, l.Exchange(t.Context(), tokenissuer.Exchange{Outcome: tokenissuer.Issued}), errFull)
		require.NoError(t, l.Event(t.Context(), unauthenticated("192.0.2.7:1")))
		require.NoError(t, l.Ready(), "a stream is everybody's")
		require.ErrorIs(t, l.Failing(), errFull)
		out.fail(nil)
		require.NoError(t, l.Event(t.Context(), issued))
		require.NoError(t, l.Failing())
		require.Contains(t, out.String(), "lines are missing here: they couldn't be written")
		require.Contains(t, out.String(), `audit_records=3 log_lines=1 error="no space left on device"`)
	})
	in(t, config.Audit{OnFailure: config.Serve}, func(t *testing.T, out *output, l *audit.Log) {
		t.Helper()
		out.fail(errFull)
		for range 10 {
			require.NoError(t, l.Event(t.Context(), issued))
			time.Sleep(20 * time.Second)
		}
		require.GreaterOrEqual(t, l.Stats().Failed, uint64(10))
		out.fail(nil)
		time.Sleep(2 * time.Minute)
		require.NoError(t, l.Failing())
	})
}

// A file is JSON, by whole records, and its own disk can take this instance out.
func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	out := &output{}
	stream := audit.NewStream(out, slog.LevelError, audit.Text)
	defer stream.Close() //nolint:errcheck // of a test
	l, err := audit.Open(config.Audit{File: path, Ready: true}, stream.Writer, stream.Format, stream.Logger)
	require.NoError(t, err)
	require.NoError(t, l.Event(context.Background(), issued))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var record map[string]any
	require.NoError(t, json.Unmarshal(text, &record), "%s", text)
	require.Equal(t, []any{"issued", "ci", "hello", "push"}, []any{record["outcome"], record["subject"], record["project"], record["access"]})
	require.Empty(t, out.String())
	require.NoError(t, l.Ready())

	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
	require.Error(t, l.Event(context.Background(), issued))
	require.Error(t, l.Ready())
	require.Contains(t, out.String(), "the audit log can't be written: credentials are refused until it works")
	require.NoError(t, os.Remove(path))
	require.NoError(t, l.Event(context.Background(), issued))
	require.NoError(t, l.Ready())
	require.NoError(t, l.Close())

	_, err = audit.Open(config.Audit{File: filepath.Join(path, "x")}, stream.Writer, stream.Format, stream.Logger)
	require.ErrorContains(t, err, "audit.file: open ")
}

// What a record costs, beside its line: as few allocations as writing it to a log does.
func TestAllocations(t *testing.T) {
	if raced {
		t.Skip("pools forget at random")
	}
	out := &output{}
	stream := audit.NewStream(out, slog.LevelError, audit.Text)
	defer stream.Close() //nolint:errcheck // of a test
	l, err := audit.Open(config.Audit{}, stream.Writer, stream.Format, stream.Logger)
	require.NoError(t, err)
	plain := endpoint.Log(slog.New(audit.Text(out)))
	measure := func(hook func(context.Context, endpoint.Event) error) float64 {
		return testing.AllocsPerRun(1000, func() { _ = hook(context.Background(), issued) })
	}
	require.LessOrEqual(t, measure(l.Event), measure(plain)+1)
}
