//go:build unix

package bounds

import "syscall"

// reserved are files that the process needs for other things: calls upstream, the audit, what it reads again.
const reserved = 256

// Fit returns how many connections there can be, at most as many as wanted, with the number of files that this process may have open.
func Fit(wanted int) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) > uint64(max(wanted, 0))+reserved { //nolint:unconvert // no uint64 on some systems
		return wanted
	}
	return min(wanted, max(int(limit.Cur)-reserved, int(limit.Cur)/2, 1)) //nolint:gosec // it is less than wanted
}
