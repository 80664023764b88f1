package repositories

import (
	"context"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Rights that depend on a repository's tags follow them with a delay (IAM User Guide, "Changes that I make are not always
// immediately visible"). What is denied within settling after a change is tried again for a while.
const settling = 5 * time.Minute

func settleDelays() []time.Duration {
	return []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}
}

// passes tells whether what failed at an attempt, of which the SDK makes one only, may succeed, or turn out to be needless, when it is
// tried again. unsettle: the tags changed a moment ago.
func passes(err error, attempt int, unsettle bool) bool {
	switch provider.KindOf(err) {
	case provider.ErrAccessDenied:
		return attempt == 0 || unsettle && attempt < len(settleDelays())
	case provider.ErrThrottled, provider.ErrUnavailable, provider.ErrTimeout:
		return attempt < len(settleDelays())
	default:
		return false
	}
}

// wait reports whether d passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
