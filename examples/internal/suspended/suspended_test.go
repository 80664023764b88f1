package suspended_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/suspended"
)

const grant = "POJBTM63OXOGX2NQ5YGZ3DYZYR"

func TestList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "suspended")
		modified := time.Now()
		write := func(text string) {
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			modified = modified.Add(time.Second)
			require.NoError(t, os.Chtimes(path, modified, modified))
		}
		var log bytes.Buffer
		write("\ufeff# since Monday\nhello\r\n\n  team-a \n" + grant)
		l, err := suspended.Open(path, slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		for _, name := range []string{"hello", "team-a", grant} {
			require.True(t, l.Has(name), name)
		}
		for _, name := range []string{"", "hell", "hello2", "team", "# since Monday", "since"} {
			require.False(t, l.Has(name), name)
		}

		write("other\n")
		require.False(t, l.Has("other"), "it was looked at a moment ago")
		time.Sleep(2 * time.Second)
		require.True(t, l.Has("other"))
		require.True(t, l.Has("hello"), "it is missing once")
		time.Sleep(2 * time.Second)
		require.False(t, l.Has("hello"))

		require.NoError(t, os.Remove(path))
		for range 3 {
			time.Sleep(2 * time.Second)
			require.True(t, l.Has("other"), "what was read last stays")
		}
		require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("what it held still counts")), "said once")

		write("Not-A-Project\nhello\n")
		time.Sleep(2 * time.Second)
		require.True(t, l.Has("hello"))
		require.Contains(t, log.String(), "is neither a project's name nor a grant's id")
	})
}

// Who writes the file in place empties it first, perhaps for a while. Nobody whose project is suspended gets a token by it that lives for minutes.
func TestEmptied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "suspended")
		write := func(text string) {
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			require.NoError(t, os.Chtimes(path, time.Now(), time.Now()))
		}
		write("hello\n")
		l, err := suspended.Open(path, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.True(t, l.Has("hello"))
		for range 3 {
			write("")
			time.Sleep(2 * time.Second)
			require.True(t, l.Has("hello"), "it may be on its way")
			write("hello\n")
			time.Sleep(2 * time.Second)
			require.True(t, l.Has("hello"))
			time.Sleep(2 * time.Second)
			require.True(t, l.Has("hello"))
		}
		write("")
		time.Sleep(2 * time.Second)
		require.True(t, l.Has("hello"))
		time.Sleep(2 * time.Second)
		require.False(t, l.Has("hello"))
	})
}

// A file that changes at what is one moment to its file system, to a text of the same length, is read all the same; and so is another file in its place.
func TestSameSizeAndTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "suspended")
		moment := time.Now()
		write := func(path, text string) {
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			require.NoError(t, os.Chtimes(path, moment, moment))
		}
		write(path, "aaaa\n")
		l, err := suspended.Open(path, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		time.Sleep(time.Second)
		write(path, "bbbb\n")
		time.Sleep(time.Second)
		require.True(t, l.Has("bbbb"))
		time.Sleep(time.Minute)
		require.True(t, l.Has("bbbb"))
		write(path+".new", "cccc\n")
		require.NoError(t, os.Rename(path+".new", path))
		time.Sleep(2 * time.Second)
		require.True(t, l.Has("cccc"))
	})
}

func TestOpen(t *testing.T) {
	t.Parallel()
	l, err := suspended.Open("", nil)
	require.NoError(t, err)
	require.False(t, l.Has("hello"))
	_, err = suspended.Open("/nonexistent/list", nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	path := filepath.Join(t.TempDir(), "suspended")
	for _, text := range []string{"Hello", "a--b", "-a", "hello other", "pojbtm63oxogx2nq5ygz3dyzy_", "a/b"} {
		require.NoError(t, os.WriteFile(path, []byte(text+"\n"), 0o600))
		_, err = suspended.Open(path, nil)
		require.ErrorContains(t, err, "is neither a project's name nor a grant's id", text)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "suspended")
	require.NoError(t, os.WriteFile(path, []byte("hello\n"), 0o600))
	l, err := suspended.Open(path, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				_ = l.Has("hello")
			}
		})
	}
	all.Wait()
	require.True(t, l.Has("hello"))
}
