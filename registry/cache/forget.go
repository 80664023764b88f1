package cache

import (
	"maps"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Forgetter is the capability to let go of credentials that are kept. Find it with [provider.As], which looks through
// decorators; a provider without it keeps none.
type Forgetter interface {
	// Forget lets go of a project's.
	Forget(project string)
	// ForgetAll lets go of everybody's.
	ForgetAll()
}

// forget forgets failures, and sees to it that the issues which are running aren't kept.
func (c *core) forget(its func(provider.Request) bool) {
	maps.DeleteFunc(c.failures, func(r provider.Request, _ failure) bool { return its(r) })
	maps.DeleteFunc(c.calls, func(r provider.Request, k *call) bool {
		k.forgotten = k.forgotten || (k.running && its(r))
		return k.forgotten
	})
}

const (
	sweepInterval = time.Minute
	sweepBatch    = 1000 // bounds how long requests that miss wait for a sweep
)

// sweepLater sees to it that what isn't usable any more leaves memory, asked for or not.
func (c *core) sweepLater() {
	if c.sweeper == nil && len(c.kept.heap)+len(c.failures) > 0 {
		c.sweeper = time.AfterFunc(sweepInterval, c.sweep)
	}
}

func (c *core) sweep() {
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
func (c *core) sweepSome(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept.dropUnusable(now, sweepBatch)
}

func (c *core) sweepFailures(now time.Time) {
	for r, f := range c.failures {
		if f.forgotten(now) {
			delete(c.failures, r)
		}
	}
}
