package cache

import (
	"errors"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	firstBackoff      = time.Second
	maxBackoff        = 5 * time.Second // a repaired project works again within that
	maxRefreshBackoff = time.Minute     // while an old credential is in use, there's no hurry
	failureMemory     = 2 * time.Minute // longer than the longest backoff, so that the next failure finds the count
)

// A failure is how the last issues for a request failed, in a row.
type failure struct {
	err   error
	count int
	at    time.Time
}

// forAnyone returns r without its caller.
func forAnyone(r provider.Request) provider.Request {
	r.Caller = ""
	return r
}

// next returns f with one more failure.
func (f failure) next(err error, now time.Time) failure {
	return failure{err: err, count: f.count + 1, at: now}
}

func (f failure) forgotten(now time.Time) bool { return now.Sub(f.at) >= failureMemory }

// backoff returns how long to wait after f, which is what the upstream says if that is more, but at most limit.
func (f failure) backoff(limit time.Duration) time.Duration {
	doublings := min(f.count-1, 16)
	return min(max(firstBackoff<<doublings, retryAfter(f.err)), limit)
}

// wait returns how long no issue is made because of f.
func (f failure) wait(now time.Time) time.Duration {
	if f.count == 0 || provider.KindOf(f.err) == provider.ErrThrottled { // then all issues pause, and nobody is refused
		return 0
	}
	return f.backoff(maxBackoff) - now.Sub(f.at)
}

// errorFor returns f's error for a request that came while there is still wait to go.
func (f failure) errorFor(r provider.Request, wait time.Duration, now time.Time) error {
	wait = max(wait, retryAfter(f.err)-now.Sub(f.at))
	if e, ok := f.err.(*provider.Error); ok { //nolint:errorlint // only the outermost can be replaced by a copy
		again := *e
		again.RetryAfter = wait
		return &again
	}
	return &provider.Error{
		Kind: provider.KindOf(f.err), Op: "issue credential", Project: r.Project, RetryAfter: wait, Err: f.err,
	}
}

func retryAfter(err error) time.Duration {
	var e *provider.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// refuses reports whether err says for certain that there is no credential, so that an older one mustn't be used
// either. Other errors say that it couldn't be found out.
func refuses(err error) bool {
	switch provider.KindOf(err) {
	case provider.ErrAccessDenied, provider.ErrNotFound, provider.ErrNotOurs, provider.ErrOrphaned, provider.ErrConflict,
		provider.ErrUnsupported, provider.ErrInvalidRequest:
		return true
	default:
		return false
	}
}
