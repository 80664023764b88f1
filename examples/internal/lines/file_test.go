//go:build unix

package lines_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/lines"
)

func open(t *testing.T, path string) *lines.Writer {
	t.Helper()
	f, err := lines.OpenFile(path)
	require.NoError(t, err)
	w := lines.New(f, say)
	t.Cleanup(func() {
		_ = w.Close(time.Second)
		_ = f.Close()
		_ = w.Close(time.Minute) // what hung in a pipe ends with it
	})
	return w
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// Moved away, deleted, copied and truncated: each record is in one of the files.
func TestRotation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	w := open(t, path)
	put := func(text string) { t.Helper(); require.NoError(t, w.Put([]byte(text+"\n"))) }
	put("one")
	require.NoError(t, os.Rename(path, path+".1"))
	put("two")
	require.Equal(t, "one\n", read(t, path+".1"))
	require.Equal(t, "two\n", read(t, path))
	require.NoError(t, os.Remove(path))
	put("three")
	require.Equal(t, "three\n", read(t, path))
	require.NoError(t, os.Truncate(path, 0))
	put("four")
	require.Equal(t, "four\n", read(t, path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())

	// What can't be opened any more takes nothing, though the old file would; and it goes on once it can.
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
	require.ErrorIs(t, w.Put([]byte("lost\n")), syscall.EISDIR)
	require.NoError(t, os.Remove(path))
	put("five")
	require.Regexp(t, `^missed 1 records and 0 lines: .*\nfive\n$`, read(t, path))
}

// What a process that was killed left in the middle of a line doesn't spoil the next record.
func TestTornFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	require.NoError(t, os.WriteFile(path, []byte("one\ntw"), 0o600))
	require.NoError(t, open(t, path).Put([]byte("three\n")))
	require.Equal(t, "one\ntw\nthree\n", read(t, path))
	require.NoError(t, open(t, path).Put([]byte("four\n")))
	require.Equal(t, "one\ntw\nthree\nfour\n", read(t, path))
}

func TestOpenFileFails(t *testing.T) {
	t.Parallel()
	_, err := lines.OpenFile(filepath.Join(t.TempDir(), "no", "such", "folder"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A real disk without room.
func TestDevFull(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	w := open(t, "/dev/full")
	require.ErrorIs(t, w.Put([]byte("record\n")), syscall.ENOSPC)
	require.ErrorIs(t, w.Failing(), syscall.ENOSPC)
}

// A named pipe: without a reader nothing is written; what a reader leaves behind the next one gets; a reader that stops reading holds up nobody beyond
// Patience, and no record that was written is lost by any of it.
func TestPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	w := open(t, path)
	require.ErrorIs(t, w.Put([]byte("nobody reads\n")), syscall.ENXIO)

	opened := func() (*os.File, *bufio.Reader) {
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		require.NoError(t, err)
		return f, bufio.NewReaderSize(f, 16)
	}
	reader, text := opened()
	require.NoError(t, w.Put([]byte("one\n")))
	require.NoError(t, w.Put([]byte("two\n")))
	next := func() string {
		line, err := text.ReadString('\n')
		require.NoError(t, err)
		return line
	}
	require.Contains(t, next(), "missed 1 records")
	require.Equal(t, "one\n", next())
	require.NoError(t, w.Put([]byte("three\n")))
	require.NoError(t, reader.Close()) // which has read a part of what there is
	require.ErrorIs(t, w.Put([]byte("nobody reads\n")), syscall.EPIPE)
	reader, text = opened()
	var written []string
	var err error
	for i := 0; err == nil; i++ { // until the pipe is full, which nobody reads
		line := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", 5000))
		if err = w.Put([]byte(line)); err == nil {
			written = append(written, line)
		}
	}
	require.ErrorIs(t, err, lines.ErrStalled)
	require.ErrorIs(t, w.Put([]byte("stalled\n")), lines.ErrStalled)
	require.NotEmpty(t, written)
	done := make(chan string)
	go func() {
		defer close(done)
		var all strings.Builder
		for {
			line, err := text.ReadString('\n')
			all.WriteString(line)
			if err != nil || line == "the end\n" {
				done <- all.String()
				return
			}
		}
	}()
	require.Eventually(t, func() bool { return w.Failing() == nil }, 30*time.Second, time.Millisecond)
	require.NoError(t, w.Put([]byte("the end\n")))
	all := <-done
	for _, line := range written {
		require.Contains(t, all, line)
	}
	require.Contains(t, all, "\nmissed ")
	require.NoError(t, reader.Close())
}
