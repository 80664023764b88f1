package cache

import (
	"container/list"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	minPause = time.Second
	maxPause = 10 * time.Second
)

// queue puts k at the end of q, unless it is there already.
func (c *Cache) queue(k *call, q *list.List) {
	if k.queue != q {
		c.dequeue(k)
		k.queue, k.place = q, q.PushBack(k)
	}
}

// queueAgain puts k, which was throttled, before the other callers, for it has waited already; the second time behind
// them, as it may be this project alone that is throttled.
func (c *Cache) queueAgain(k *call) {
	c.queue(k, &c.callers)
	if k.throttled == nil {
		c.callers.MoveToFront(k.place)
	}
}

func (c *Cache) dequeue(k *call) {
	if k.queue != nil {
		k.queue.Remove(k.place)
		k.queue, k.place = nil, nil
	}
}

// abandon ends a call that isn't running and that nobody waits for.
func (c *Cache) abandon(k *call) {
	c.dequeue(k)
	c.forgetCall(k)
}

// pause starts no more issues for wait, within bounds.
func (c *Cache) pause(now time.Time, wait time.Duration) {
	c.stats.Throttled++
	until := now.Add(min(max(wait, minPause), maxPause))
	if until.After(c.pausedUntil) {
		c.pausedUntil = until
	}
}

// dispatch starts the issues whose turn it is.
func (c *Cache) dispatch(now time.Time) {
	for !c.closed && c.inFlight < c.options.MaxInFlight {
		if wait := c.pausedUntil.Sub(now); wait > 0 {
			c.dispatchAfter(wait)
			return
		}
		k := c.nextInTurn(now)
		if k == nil {
			return
		}
		k.running = true
		c.inFlight++
		c.running.Go(func() { c.run(k) })
	}
}

func (c *Cache) dispatchAfter(wait time.Duration) {
	if c.resume != nil || c.callers.Len()+c.refreshes.Len() == 0 {
		return
	}
	c.resume = time.AfterFunc(wait, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.resume = nil
		c.dispatch(time.Now())
	})
}

// nextInTurn takes the next call out of its queue: one that somebody waits for, or else one that refreshes a credential
// which is still in use.
func (c *Cache) nextInTurn(now time.Time) *call {
	for first := c.callers.Front(); first != nil; first = c.callers.Front() {
		k := first.Value.(*call)
		c.dequeue(k)
		f := c.failures[forAnyone(k.request)]
		wait := f.wait(now)
		if wait <= 0 {
			return k
		}
		k.settle(provider.Credentials{}, f.errorFor(k.request, wait, now)) // another caller's issue failed meanwhile
		c.forgetCall(k)
	}
	for first := c.refreshes.Front(); first != nil; first = c.refreshes.Front() {
		k := first.Value.(*call)
		c.dequeue(k)
		if e := c.kept.get(k.request); e != nil && e.usable(now) {
			return k
		}
		c.forgetCall(k)
	}
	return nil
}
