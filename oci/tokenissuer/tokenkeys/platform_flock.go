//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package tokenkeys

import (
	"fmt"
	"os"
	"syscall"
)

// lock waits until nobody else works in a directory. It leaves nothing behind, however the process ends.
func lock(directory string) (unlock func(), err error) {
	f, err := os.Open(directory) //nolint:gosec // the operator says which
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", directory, err)
	}
	return func() { _ = f.Close() }, nil
}

// anothers reports whether a file belongs to neither this process's user nor root, and to whom.
func anothers(info os.FileInfo) (uid uint32, another bool) {
	is, ok := info.Sys().(*syscall.Stat_t)
	if !ok || is.Uid == 0 || int(is.Uid) == os.Geteuid() {
		return 0, false
	}
	return is.Uid, true
}

// keepOwner gives a new file the owner of the one that it is going to replace: the service reads it.
func keepOwner(f *os.File, old os.FileInfo) error {
	is, err := f.Stat()
	if err != nil {
		return err
	}
	was, ok := old.Sys().(*syscall.Stat_t)
	now, too := is.Sys().(*syscall.Stat_t)
	if !ok || !too || was.Uid == now.Uid && was.Gid == now.Gid {
		return nil
	}
	return f.Chown(int(was.Uid), int(was.Gid))
}
