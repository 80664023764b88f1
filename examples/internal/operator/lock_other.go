//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package operator

import (
	"fmt"
	"runtime"
)

func lock(string) (unlock func(), err error) {
	return nil, fmt.Errorf("files can't be locked on %s: see to it by other means that runs don't overlap", runtime.GOOS)
}
