package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/decorator"
)

// dispatch starts the issues whose turn it is.
func (c *core) dispatch(now time.Time) {
	for !c.closed && c.inFlight < c.options.MaxInFlight {
		turn := c.pace.ReserveN(now, 1)
		if wait := max(c.pausedUntil.Sub(now), turn.DelayFrom(now)); wait > 0 {
			turn.CancelAt(now)
			c.dispatchAfter(wait)
			return
		}
		k := c.nextInTurn(now)
		if k == nil {
			turn.CancelAt(now)
			return
		}
		k.running = true
		c.inFlight++
		c.running.Go(func() { c.run(k) })
	}
}

func (c *core) dispatchAfter(wait time.Duration) {
	if c.resume != nil || c.callers.calls+c.refreshes.calls == 0 {
		return
	}
	c.resume = time.AfterFunc(wait, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.resume = nil
		c.dispatch(time.Now())
	})
}

// run makes the call's issue, and finishes it whatever the provider does.
func (c *core) run(k *call) {
	ctx, cancel := context.WithTimeout(k.ctx, c.options.IssueTimeout)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()

	began := time.Now()
	var issued decorator.Issued
	err := errors.New("a bug in the provider: it ended its goroutine")
	defer func() {
		if v := recover(); v != nil {
			issued, err = decorator.Issued{}, panicked(v)
		}
		c.finish(k, issued, err, began)
	}()
	ctx = decorator.OnThrottled(ctx, func(err error) { c.noteThrottled(k, err) })
	issued, err = c.issue(ctx, k.request)
	_ = provider.KindOf(err) // panics here, where nobody else is hurt, if err can't be looked at: a nil pointer, say
}

// noteThrottled notes that the provider is being throttled for k and tries again by itself.
func (c *core) noteThrottled(k *call, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !k.running {
		return
	}
	c.stats.Throttled++
	if k.slowed == nil {
		c.slowed++
	}
	k.slowed = err
}

// panicked makes an error of a panic's value, which may hold anything: only the runtime's own are shown.
func panicked(v any) error {
	if err, ok := v.(runtime.Error); ok {
		return fmt.Errorf("a bug in the provider: panic: %w", err)
	}
	return fmt.Errorf("a bug in the provider: panic of type %T", v)
}

// finish takes the result of the call's issue, which began when it says.
func (c *core) finish(k *call, issued decorator.Issued, err error, began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.inFlight--
	k.running = false
	if k.slowed != nil {
		c.slowed--
		k.slowed = nil
	}
	if c.closed {
		k.settle(provider.Credentials{}, errClosed(k.request))
		return
	}
	defer c.dispatch(now)
	if provider.KindOf(err) == provider.ErrThrottled {
		c.pause(now, retryAfter(err))
		if k.waiters > 0 {
			c.queueAgain(k)
			k.throttled = err
			return
		}
	}
	k.settle(issued.Credentials(), err)
	switch {
	case err != nil:
		c.stats.Failures++
		if !k.forgotten {
			c.failed(k.request, err, now)
		}
	case !k.forgotten:
		delete(c.failures, forAnyone(k.request))
		e := newEntry(issued, c.options.MinRemaining, began, now)
		c.stats.Evictions += c.kept.keep(e, c.options.MaxEntries, now)
		c.sweepLater()
	}
	c.forgetCall(k)
}

// failed notes why r's issue failed, and what that means for the credential that is kept.
func (c *core) failed(r provider.Request, err error, now time.Time) {
	if provider.KindOf(err) == provider.ErrInvalidRequest { // costs nobody anything: no need to back off
		c.kept.dropRequest(r)
		return
	}
	f := c.failures[forAnyone(r)].next(err, now)
	c.noteFailure(forAnyone(r), f)
	e := c.kept.get(r)
	switch {
	case e == nil:
	case refuses(err):
		c.kept.drop(e)
	default:
		e.retryRefresh(now, f.backoff(maxRefreshBackoff))
	}
}

// noteFailure keeps f. There are at most as many failures as there may be entries.
func (c *core) noteFailure(r provider.Request, f failure) {
	if _, known := c.failures[r]; !known && len(c.failures) >= c.options.MaxEntries {
		for other := range c.failures {
			delete(c.failures, other)
			break
		}
	}
	c.failures[r] = f
	c.sweepLater()
}
