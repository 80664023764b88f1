package lines_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A small disk that fills up in the middle of a record, and has room again later: all records that were said to be written are there, whole.
func TestSmallDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("needs the right to mount a small disk: ", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	filler, path := filepath.Join(dir, "filler"), filepath.Join(dir, "audit.log")
	require.NoError(t, os.WriteFile(filler, make([]byte, 32<<10), 0o600))
	w := open(t, path)
	var written []string
	put := func(i int) error {
		line := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", 700))
		err := w.Put([]byte(line))
		if err == nil {
			written = append(written, line)
		}
		return err
	}
	i := 0
	for ; i < 1000; i++ {
		if err := put(i); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			break
		}
	}
	require.Less(t, i, 1000)
	text := read(t, path)
	require.False(t, strings.HasSuffix(text, "\n"), "a part of a record is there")
	require.ErrorIs(t, put(i), syscall.ENOSPC)
	require.NoError(t, os.Remove(filler))
	require.Eventually(t, func() bool { return w.Failing() == nil }, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, put(i+1))
	text = read(t, path)
	for _, line := range written {
		require.Contains(t, "\n"+text, "\n"+line)
	}
	require.Contains(t, text, "\nmissed 2 records")
}
