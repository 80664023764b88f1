package cache

import "time"

const (
	sweepInterval = time.Minute
	sweepBatch    = 1000 // bounds how long requests that miss wait for a sweep
)

// sweepLater sees to it that what isn't usable any more leaves memory, asked for or not.
func (c *Cache) sweepLater() {
	if c.sweeper == nil && len(c.kept.heap)+len(c.failures) > 0 {
		c.sweeper = time.AfterFunc(sweepInterval, c.sweep)
	}
}

func (c *Cache) sweep() {
	for c.sweepSome(time.Now()) {
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweeper = nil
	if !c.closed {
		c.sweepFailures(time.Now())
		c.sweepLater()
	}
}

// sweepSome drops a batch of entries and reports whether there are more.
func (c *Cache) sweepSome(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept.dropUnusable(now, sweepBatch)
}

func (c *Cache) sweepFailures(now time.Time) {
	for r, f := range c.failures {
		if f.forgotten(now) {
			delete(c.failures, r)
		}
	}
}
