package lines_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/lines"
)

// sink is what is written to: it hangs, fails, or writes a part.
type sink struct {
	mu   sync.Mutex
	text bytes.Buffer
	err  error
	part int           // is written of what fails
	held chan struct{} // not nil: writes wait for it
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if held != nil {
		<-held
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		n := min(s.part, len(p))
		s.part -= n
		s.text.Write(p[:n])
		return n, s.err
	}
	return s.text.Write(p)
}

func (s *sink) set(err error, part int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.part = err, part
}

func (s *sink) hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make(chan struct{})
	s.held = held
	return func() {
		s.mu.Lock()
		s.held = nil
		s.mu.Unlock()
		close(held)
	}
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func say(m lines.Missed) []byte {
	return fmt.Appendf(nil, "missed %d records and %d lines: %v\n", m.Records, m.Log, m.Err)
}

var errFull = fmt.Errorf("write: %w", syscall.ENOSPC)

func in(t *testing.T, test func(t *testing.T, s *sink, w *lines.Writer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		w := lines.New(s, say)
		test(t, s, w)
		require.NoError(t, w.Close(time.Second))
		require.ErrorIs(t, w.Put([]byte("late\n")), lines.ErrClosed)
	})
}

// Whole lines, each once, of as many goroutines as there are.
func TestManyWriters(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, s *sink, w *lines.Writer) {
		t.Helper()
		var wait sync.WaitGroup
		for i := range 500 {
			wait.Go(func() {
				line := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", i))
				if i%5 == 0 {
					_, _ = w.Lossy().Write([]byte(line))
				} else {
					require.NoError(t, w.Put([]byte(line)))
				}
				require.Contains(t, s.String(), line, "written when it returns")
			})
		}
		wait.Wait()
		require.Equal(t, 500, strings.Count(s.String(), "\n"))
		require.Equal(t, lines.Stats{Written: 400}, w.Stats())
	})
}

// A full disk takes a part of a record: that one failed, those before it didn't, and the next one begins on a line of its own, after what was missed.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, s *sink, w *lines.Writer) {
		t.Helper()
		require.NoError(t, w.Put([]byte("first\n")))
		s.set(errFull, 4)
		require.ErrorIs(t, w.Put([]byte("second\n")), syscall.ENOSPC)
		require.ErrorIs(t, w.Put([]byte("third\n")), syscall.ENOSPC)
		_, _ = w.Lossy().Write([]byte("a line of the log\n"))
		require.ErrorIs(t, w.Failing(), syscall.ENOSPC)
		s.set(nil, 0)
		require.NoError(t, w.Put([]byte("fourth\n")))
		require.NoError(t, w.Failing())
		require.Equal(t, "first\nseco\nmissed 2 records and 1 lines: write: no space left on device\nfourth\n", s.String())
		require.Equal(t, lines.Stats{Written: 2, Failed: 2, Dropped: 1}, w.Stats())
	})
}

// That there is room again shows without anybody who asks: within a second.
func TestRecoversByItself(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, s *sink, w *lines.Writer) {
		t.Helper()
		s.set(errFull, 0)
		require.Error(t, w.Put([]byte("first\n")))
		time.Sleep(10 * time.Second)
		require.Error(t, w.Failing())
		s.set(nil, 0)
		time.Sleep(time.Second + time.Millisecond)
		require.NoError(t, w.Failing())
		require.Equal(t, "missed 1 records and 0 lines: write: no space left on device\n", s.String())
	})
}

// Of records that are written together, those that are whole count.
func TestPartOfABatch(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, s *sink, w *lines.Writer) {
		t.Helper()
		release := s.hold()
		results := make([]error, 4)
		var wait sync.WaitGroup
		for i := range results {
			wait.Go(func() { results[i] = w.Put(fmt.Appendf(nil, "line %d\n", i)) })
			synctest.Wait() // the first is alone; the others wait for it
		}
		s.set(errFull, 7+7+3)
		release()
		wait.Wait()
		require.NoError(t, errors.Join(results[0], results[1]))
		require.ErrorIs(t, results[2], syscall.ENOSPC)
		require.ErrorIs(t, results[3], syscall.ENOSPC)
		require.Equal(t, "line 0\nline 1\nlin", s.String())
		s.set(nil, 0)
	})
}

// A reader that stalls: who waits is told in time, those who come later at once, and nothing is lost that was said to be written.
func TestStalls(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, s *sink, w *lines.Writer) {
		t.Helper()
		release := s.hold()
		start := time.Now()
		var wait sync.WaitGroup
		for i := range 3 {
			wait.Go(func() {
				require.ErrorIs(t, w.Put(fmt.Appendf(nil, "record %d\n", i)), lines.ErrStalled)
				require.LessOrEqual(t, time.Since(start), lines.Patience)
			})
		}
		wait.Go(func() {
			_, _ = w.Lossy().Write([]byte("a line of the log\n"))
			require.LessOrEqual(t, time.Since(start), 200*time.Millisecond, "nobody waits long to log")
		})
		wait.Wait()
		start = time.Now()
		for range 10_000 {
			require.ErrorIs(t, w.Put([]byte("another record\n")), lines.ErrStalled)
			_, _ = w.Lossy().Write([]byte(strings.Repeat("x", 100) + "\n"))
		}
		require.Zero(t, time.Since(start))
		require.ErrorIs(t, w.Failing(), lines.ErrStalled)
		dropped := w.Stats().Dropped
		require.Greater(t, dropped, uint64(4_000), "half a megabyte is kept")
		release()
		synctest.Wait()
		require.NoError(t, w.Put([]byte("it goes on\n")))
		require.NoError(t, w.Failing())
		text := s.String()
		require.Contains(t, text, fmt.Sprintf("missed 10003 records and %d lines: ", dropped))
		require.Contains(t, text, "a line of the log\n")
		require.NotContains(t, text, "another record")
		require.True(t, strings.HasSuffix(text, "it goes on\n"))
	})
}

// What stalls doesn't hold up the end.
func TestCloseOfWhatStalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		w := lines.New(s, say)
		release := s.hold()
		require.ErrorIs(t, w.Put([]byte("record\n")), lines.ErrStalled)
		start := time.Now()
		require.ErrorIs(t, w.Close(time.Second), lines.ErrStalled)
		require.Equal(t, time.Second, time.Since(start))
		release()
	})
}

// A full disk at the end neither.
func TestCloseOfWhatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{err: errFull}
		w := lines.New(s, say)
		require.ErrorIs(t, w.Put([]byte("record\n")), syscall.ENOSPC)
		require.ErrorIs(t, w.Close(time.Second), syscall.ENOSPC)
		require.True(t, errors.Is(w.Put([]byte("late\n")), lines.ErrClosed))
	})
}
