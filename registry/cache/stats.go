package cache

import (
	"sync"
	"sync/atomic"
	"time"
)

// Stats are a cache's numbers, for a service's metrics. Every valid request is counted as exactly one of Hits, Misses,
// Joins and Refusals, unless the context had ended before or the cache is closed.
type Stats struct {
	// Hits are requests that were answered with a kept credential.
	Hits uint64
	// Misses are requests for which an issue was begun, or queued.
	Misses uint64
	// Joins are requests that waited for an issue of another.
	Joins uint64
	// Refusals are requests that were answered with the last error, as the next attempt wasn't due.
	Refusals uint64
	// Refreshes are issues that were begun, or queued, to replace a credential still in use.
	Refreshes uint64
	// Failures are issues that failed, refreshes included.
	Failures uint64
	// Throttled are attempts that the upstream throttled. Each pauses issuing, but for those that the provider waits out by
	// itself ([decorator.NoteThrottled]); not each fails in the end.
	Throttled uint64
	// Evictions are credentials that went because there were too many.
	Evictions uint64

	// Entries is how many credentials are kept.
	Entries int
	// InFlight is how many issues are running.
	InFlight int
	// Queued is how many issues wait for others to end, for throttling to, or for [Options].MaxPerSecond.
	Queued int
	// EarliestExpiry is when the credential expires that is the first to be dropped. It is zero if there is none, or if
	// that one doesn't expire.
	EarliestExpiry time.Time
}

// A counter counts without goroutines on different processors fighting for one cache line. Each takes the cell that its
// processor used last: what a sync.Pool is good at.
type counter struct {
	cells   [32]cell
	handed  atomic.Uint32
	byLocal sync.Pool
}

type cell struct {
	n atomic.Uint64
	_ [120]byte // two cache lines, as processors fetch them in pairs
}

func (c *counter) init() {
	c.byLocal.New = func() any { return &c.cells[int(c.handed.Add(1))%len(c.cells)] }
}

func (c *counter) add() {
	cell := c.byLocal.Get().(*cell)
	cell.n.Add(1)
	c.byLocal.Put(cell)
}

func (c *counter) sum() uint64 {
	var sum uint64
	for i := range c.cells {
		sum += c.cells[i].n.Load()
	}
	return sum
}
