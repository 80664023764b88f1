//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package operator

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock locks a file, which it makes where there is none, as flock(1) does. It doesn't wait, and nothing is left locked however the process ends.
func lock(path string) (unlock func(), err error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator says which
		if err != nil {
			return nil, err
		}
		for {
			err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
			if !errors.Is(err, syscall.EINTR) {
				break
			}
		}
		if err != nil {
			_ = f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, fmt.Errorf("another process has locked %s", path)
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		locked, err := f.Stat()
		if err != nil {
			_ = f.Close()
			return nil, err
		}
		if now, err := os.Stat(path); err == nil && os.SameFile(locked, now) {
			return func() { _ = f.Close() }, nil
		}
		_ = f.Close() // somebody has removed it meanwhile, and the next one would lock another
	}
}
