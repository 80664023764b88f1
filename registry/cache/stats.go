package cache

import "time"

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
	// Queued is how many issues wait for others to end, or for throttling to.
	Queued int
	// EarliestExpiry is when the credential expires that is the first to be dropped. It is zero if there is none, or if
	// that one doesn't expire.
	EarliestExpiry time.Time
}

// Stats returns the present numbers. It is cheap enough to be called on each scrape.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Hits += c.hits.sum() // those in stats are late ones
	s.Entries, s.InFlight, s.Queued = len(c.kept.heap), c.inFlight, c.callers.calls+c.refreshes.calls
	if len(c.kept.heap) > 0 {
		s.EarliestExpiry = c.kept.heap[0].issued.Credentials().ExpiresAt
	}
	return s
}
