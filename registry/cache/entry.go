package cache

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider/decorator"
)

const (
	lifeWithoutExpiry = time.Hour
	longestLife       = 100 * 365 * 24 * time.Hour // keeps the sums below within int64
	never             = math.MinInt64
)

// An entry is a kept credential. What hits read never changes but for refreshAt, so they need no lock.
type entry struct {
	issued decorator.Issued
	// dropAt is when it stops being handed out, by two clocks; see left.
	dropAt time.Time
	// refreshAt is how much is left when to refresh it; never, while that is being done.
	refreshAt atomic.Int64
	// place is where it is in the heap of entries.
	place int32
	// used is whether it was handed out since an eviction passed it over.
	used atomic.Bool
}

// newEntry returns an entry for what was issued between began and now.
func newEntry(i decorator.Issued, minRemaining time.Duration, began, now time.Time) *entry {
	life := lifeWithoutExpiry
	if expires := i.Credentials().ExpiresAt.Round(0); !expires.IsZero() { // the registry knows no monotonic clock
		// Nobody knows whether the clock that expires is by was set meanwhile, and when. So the sooner counts.
		life = min(expires.Sub(now), expires.Sub(began)-now.Sub(began), longestLife)
	}
	keep := life - min(minRemaining, life/4)
	e := &entry{issued: i, dropAt: now.Add(keep)}
	e.refreshAt.Store(int64(keep - life/2))
	return e
}

// left is for how long e may be handed out, by the clock that says less: the monotonic one stands still while a machine is
// suspended, and the wall clock may be set back.
func (e *entry) left(now time.Time) time.Duration {
	return min(e.dropAt.Sub(now), time.Duration(e.dropAt.UnixNano()-now.UnixNano()))
}

func (e *entry) usable(now time.Time) bool { return e.left(now) > 0 }

// use notes that e is in use. It writes only where that's new, as processors fight for what is written.
func (e *entry) use() {
	if !e.used.Load() {
		e.used.Store(true)
	}
}

// claimRefresh reports whether it's time to refresh e, to one caller only.
func (e *entry) claimRefresh(left time.Duration) bool {
	at := e.refreshAt.Load()
	return int64(left) <= at && e.refreshAt.CompareAndSwap(at, never)
}

// retryRefresh takes the claim back, for the time after wait.
func (e *entry) retryRefresh(now time.Time, wait time.Duration) {
	e.refreshAt.Store(int64(e.left(now) - wait))
}
