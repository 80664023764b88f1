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
