package cache

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	lifeWithoutExpiry = time.Hour
	longestLife       = 100 * 365 * 24 * time.Hour // keeps the sums below within int64
	never             = math.MaxInt64
)

// An entry is a kept credential. What hits read never changes but for refreshAt, so they need no lock.
type entry struct {
	request     provider.Request
	credentials provider.Credentials
	// dropAt is when it stops being handed out. Times are Unix nanoseconds of the wall clock, which expiry is in: the
	// monotonic clock stands still while a machine is suspended.
	dropAt int64
	// refreshAt is when to refresh it; never, while that is being done.
	refreshAt atomic.Int64
	// place is where it is in the heap of entries.
	place int
	// used is whether it was handed out since an eviction passed it over.
	used atomic.Bool
}

func newEntry(r provider.Request, c provider.Credentials, minRemaining time.Duration, now time.Time) *entry {
	life := lifeWithoutExpiry
	if !c.ExpiresAt.IsZero() {
		life = min(c.ExpiresAt.Sub(now), longestLife)
	}
	e := &entry{request: r, credentials: c, dropAt: now.Add(life - min(minRemaining, life/4)).UnixNano()}
	e.refreshAt.Store(now.Add(life / 2).UnixNano())
	return e
}

func (e *entry) usable(now time.Time) bool { return now.UnixNano() < e.dropAt }

// use notes that e is in use. It writes only where that's new, as processors fight for what is written.
func (e *entry) use() {
	if !e.used.Load() {
		e.used.Store(true)
	}
}

// claimRefresh reports whether it's time to refresh e, to one caller only.
func (e *entry) claimRefresh(now time.Time) bool {
	at := e.refreshAt.Load()
	return now.UnixNano() >= at && e.refreshAt.CompareAndSwap(at, never)
}

// retryRefresh takes the claim back, for the time after wait.
func (e *entry) retryRefresh(now time.Time, wait time.Duration) {
	e.refreshAt.Store(now.Add(wait).UnixNano())
}
