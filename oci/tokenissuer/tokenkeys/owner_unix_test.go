//go:build unix

package tokenkeys_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Where the service's user was given the files, it keeps them.
func TestModeStays(t *testing.T) {
	t.Parallel()
	d := made(t)
	path := filepath.Join(d.Path, "tls.key")
	require.NoError(t, os.Chmod(path, 0o640))
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(path, 1234, 5678))
	}
	before, err := os.Stat(path)
	require.NoError(t, err)
	k, err := d.Rotate(time.Hour)
	require.NoError(t, err)
	require.Equal(t, []string{path + " can be read by its group (mode 0640)"}, k.Warnings)
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, before.Mode(), after.Mode())
	was, is := before.Sys().(*syscall.Stat_t), after.Sys().(*syscall.Stat_t)
	require.Equal(t, was.Uid, is.Uid)
	require.Equal(t, was.Gid, is.Gid)
}

// Whoever made the directory before, in /tmp say, and filled it, has his own authority made the registry's.
func TestDirectoryOfAnother(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	d := made(t)
	k, err := d.Make()
	require.NoError(t, err)
	require.Empty(t, k.Warnings)
	require.NoError(t, os.Chown(d.Path, 1234, 5678))
	k, err = d.Make()
	require.NoError(t, err)
	require.Equal(t, []string{d.Path + " belongs to another user (uid 1234), who can put an authority and keys of his own into it"}, k.Warnings)
}
