package cache

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// join returns the call that is to answer r, or the answer.
func (c *core) join(ctx context.Context, r provider.Request) (*call, provider.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, provider.Credentials{}, errClosed(r)
	}
	now := time.Now()
	if e := c.kept.get(r); e != nil && e.usable(now) { // since the caller looked
		c.stats.Hits++
		e.use()
		return nil, e.issued.Credentials(), nil
	}
	k, found := c.calls[r]
	if !found {
		f := c.failures[forAnyone(r)]
		if wait := f.wait(now); wait > 0 {
			c.stats.Refusals++
			return nil, provider.Credentials{}, f.errorFor(r, wait, now)
		}
		// They may be parts of a whole request.
		r.Project, r.ProjectID, r.Caller = strings.Clone(r.Project), strings.Clone(r.ProjectID), strings.Clone(r.Caller)
		k = newCall(ctx, r)
		c.calls[r] = k
		c.stats.Misses++
	} else {
		c.stats.Joins++
	}
	caller := callerOf(ctx, r)
	k.waiters++
	k.share(caller).waiters++
	if !k.running {
		c.queue(k, &c.callers, caller)
		c.dispatch(now)
	}
	return k, provider.Credentials{}, nil
}

// leave is for a caller whose ctx has ended. It returns the error for it.
func (c *core) leave(ctx context.Context, k *call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed(k.request)
	}
	caller := callerOf(ctx, k.request)
	if s := k.share(caller); s.waiters > 1 {
		s.waiters--
	} else {
		c.callers.leave(s)
		delete(k.shares, caller)
	}
	if k.waiters--; k.waiters == 0 && !k.running {
		c.abandon(k)
	}
	err := ended(ctx, k.request)
	throttled := k.slowed
	if throttled == nil {
		throttled = k.throttled
	}
	slow := c.slowed > 0 || c.inFlight < c.options.MaxInFlight // where there is room, it waits for the pace, or a pause to end
	if pause := time.Until(c.pausedUntil); throttled != nil || !k.running && (pause > 0 || slow) {
		err.Kind, err.RetryAfter = provider.ErrThrottled, max(pause, minPause)
		if throttled != nil {
			err.Err = fmt.Errorf("%w, after %w", err.Err, throttled)
		}
	}
	return err
}

// refresh has e replaced. It doesn't wait for that.
func (c *core) refresh(ctx context.Context, e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := e.issued.Request()
	if c.closed || c.kept.get(r) != e || c.calls[r] != nil {
		return
	}
	k := newCall(ctx, r)
	c.calls[r] = k
	c.stats.Refreshes++
	if c.refreshes.calls == 0 {
		c.round++ // those who wait come first
	}
	c.queue(k, &c.refreshes, callerOf(ctx, r))
	c.dispatch(time.Now())
}
