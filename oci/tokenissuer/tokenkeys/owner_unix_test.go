//go:build unix

package tokenkeys_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func requireSameOwner(t *testing.T, a, b os.FileInfo) {
	t.Helper()
	was, is := a.Sys().(*syscall.Stat_t), b.Sys().(*syscall.Stat_t)
	require.Equal(t, was.Uid, is.Uid)
	require.Equal(t, was.Gid, is.Gid)
}
