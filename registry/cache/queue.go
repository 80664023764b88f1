package cache

import (
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	minPause = time.Second
	maxPause = 10 * time.Second
)

// queue puts k at the end of caller's line in q, unless it stands there already.
func (c *core) queue(k *call, q *turns, caller string) {
	if k.queue != q {
		c.dequeue(k)
	}
	if k.share(caller).place == nil {
		q.add(k, caller, false)
	}
}

// queueAgain puts k, which was throttled, before the other calls of those who wait for it, for it has waited already; the second
// time behind them, as it may be this project alone that is throttled.
func (c *core) queueAgain(k *call) {
	for caller, s := range k.shares {
		if s.waiters > 0 {
			c.callers.add(k, caller, k.throttled == nil)
		}
	}
}

func (c *core) dequeue(k *call) {
	if k.queue != nil {
		k.queue.remove(k)
	}
}

// abandon ends a call that isn't running and that nobody waits for.
func (c *core) abandon(k *call) {
	c.dequeue(k)
	c.forgetCall(k)
}

// pause starts no more issues for wait, within bounds.
func (c *core) pause(now time.Time, wait time.Duration) {
	c.stats.Throttled++
	until := now.Add(min(max(wait, minPause), maxPause))
	if until.After(c.pausedUntil) {
		c.pausedUntil = until
	}
}

// nextInTurn takes the next call out of its queue: one that somebody waits for, or one that refreshes a credential which is
// still in use.
func (c *core) nextInTurn(now time.Time) *call {
	for k, refresh := c.takeTurn(); k != nil; k, refresh = c.takeTurn() {
		if refresh {
			if e := c.kept.get(k.request); e != nil && e.usable(now) {
				return k
			}
		} else {
			f := c.failures[forAnyone(k.request)]
			wait := f.wait(now)
			if wait <= 0 {
				return k
			}
			k.settle(provider.Credentials{}, f.errorFor(k.request, wait, now)) // another caller's issue failed meanwhile
		}
		c.forgetCall(k)
	}
	return nil
}

// takeTurn takes the next call. Refreshes come behind every caller, but not behind every call: one takes the turn of a caller
// that had one since the last refresh. Else what one caller asks for keeps all that is in use from being refreshed, until
// everybody waits.
func (c *core) takeTurn() (k *call, refresh bool) {
	l := c.callers.next()
	switch {
	case c.refreshes.calls > 0 && (l == nil || l.round == c.round):
		if l != nil {
			c.callers.skip(l)
		}
		c.round++
		return c.refreshes.take(c.round), true
	case l == nil:
		return nil, false
	default:
		return c.callers.take(c.round), false
	}
}

// forgetCall has the next request for the same make a call of its own.
func (c *core) forgetCall(k *call) {
	if c.calls[k.request] == k {
		delete(c.calls, k.request)
	}
}
