package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/decorator"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// A Cache is a [provider.Provider] that reuses another one's credentials, as the package's documentation says. Make it
// with [New]. It is safe for concurrent use.
type Cache struct {
	provider provider.Provider
	inner    provider.Provider // what Unwrap returns: provider, behind what hears of changes of its repositories
	options  Options

	hits counter

	// life ends with Close.
	life context.Context //nolint:containedctx // of the issues, which belong to no caller
	end  context.CancelFunc
	// running are the issues that a goroutine works on.
	running sync.WaitGroup

	mu       sync.Mutex
	kept     store // its get needs no mu
	calls    map[provider.Request]*call
	failures map[provider.Request]failure // without callers: what fails, fails for each of them
	stats    Stats                        // without hits, and without what is counted when asked for
	closed   bool

	// callers and refreshes hold the calls that wait for a turn, those that somebody waits for and the others.
	callers, refreshes turns
	round              uint64 // of turns, from one refresh to the next
	inFlight, slowed   int    // calls that are running, and those of them that the provider is being throttled for
	pausedUntil        time.Time
	resume, sweeper    *time.Timer // nil: not set
}

// New returns a cache around p. Close it with [provider.Close], which closes p too.
//
// Around a [*Cache], New returns one around what that one wraps: in two layers, credentials would be handed out with
// half of half of their life left. The inner cache isn't used then, nor closed.
//
// New panics if p is nil.
func New(p provider.Provider, o Options) *Cache {
	if p == nil {
		panic("cache.New: the provider is required")
	}
	if inner, ok := p.(*Cache); ok {
		p = inner.provider
	}
	c := &Cache{
		provider: p, inner: p, options: o.withDefaults(), round: 1,
		calls: map[provider.Request]*call{}, failures: map[provider.Request]failure{},
	}
	c.life, c.end = context.WithCancel(context.Background())
	c.hits.init()
	c.kept.init()
	if m, ok := provider.As[repository.Manager](p); ok {
		c.inner = &repositories{Provider: p, Manager: m, cache: c}
	}
	return c
}

// Repository returns what the wrapped provider does.
func (c *Cache) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	return c.provider.Repository(project, consumer)
}

// Unwrap returns the wrapped provider, for [provider.As]: behind a decorator that hears of changes of repositories, if it manages any.
func (c *Cache) Unwrap() provider.Provider { return c.inner }

// Credentials returns a kept credential, even if ctx has ended, or waits for a new one until ctx ends. The package's
// documentation says more.
//
// Its errors are those of [provider.Issue] for the wrapped provider; [provider.ErrTimeout] when ctx ends first, or
// [provider.ErrThrottled] if it was that which took so long; and [provider.ErrUnavailable] once the cache is closed.
func (c *Cache) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	if kept := c.Reuse(ctx, r, time.Now()); kept != nil {
		return kept.Credentials(), nil
	}
	return c.miss(ctx, r)
}

// Reuse implements [decorator.Reuser]. What it returns counts as a hit.
func (c *Cache) Reuse(ctx context.Context, r provider.Request, now time.Time) *decorator.Issued {
	e := c.kept.get(r)
	if e == nil {
		return nil
	}
	left := e.left(now)
	if left <= 0 {
		return nil
	}
	if e.claimRefresh(left) {
		c.refresh(ctx, e)
	}
	c.hits.add()
	e.use()
	return &e.issued
}

// miss answers a request that is perhaps invalid, and perhaps a hit by now.
func (c *Cache) miss(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	if err := r.Validate(); err != nil {
		return provider.Credentials{}, err
	}
	if !r.AllProjects { // a provider may narrow what it takes, and then it needn't wait for a turn
		if _, err := c.provider.Repository(r.Project, r.Consumer); err != nil {
			return provider.Credentials{}, err
		}
	}
	if ctx.Err() != nil {
		return provider.Credentials{}, ended(ctx, r)
	}
	k, credentials, err := c.join(ctx, r)
	if k == nil {
		return credentials, err
	}
	select {
	case <-k.done:
		return k.credentials, k.err
	case <-c.life.Done():
		return provider.Credentials{}, errClosed(r)
	case <-ctx.Done():
		return provider.Credentials{}, c.leave(ctx, k)
	}
}

// join returns the call that is to answer r, or the answer.
func (c *Cache) join(ctx context.Context, r provider.Request) (*call, provider.Credentials, error) {
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
func (c *Cache) leave(ctx context.Context, k *call) error {
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
	if pause := time.Until(c.pausedUntil); throttled != nil || (!k.running && (pause > 0 || c.slowed > 0)) {
		err.Kind, err.RetryAfter = provider.ErrThrottled, max(pause, minPause)
		if throttled != nil {
			err.Err = fmt.Errorf("%w, after %w", err.Err, throttled)
		}
	}
	return err
}

// refresh has e replaced. It doesn't wait for that.
func (c *Cache) refresh(ctx context.Context, e *entry) {
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

// Close ends all background work and drops what is kept. It waits until the issues that are running have ended, which
// they do soon after their contexts, so it must not be called by the wrapped provider's Credentials; that one it
// doesn't close. Requests that wait, and all later ones, fail with [provider.ErrUnavailable]. It returns nil, also when
// called again.
func (c *Cache) Close() error {
	c.mu.Lock()
	c.closed = true
	c.end()
	c.kept.dropAll()
	clear(c.calls)
	clear(c.failures)
	c.callers, c.refreshes = turns{}, turns{}
	for _, t := range []*time.Timer{c.resume, c.sweeper} {
		if t != nil {
			t.Stop()
		}
	}
	c.mu.Unlock()
	c.running.Wait()
	return nil
}

func errClosed(r provider.Request) error {
	return &provider.Error{
		Kind: provider.ErrUnavailable, Op: "issue credential", Project: r.Project, Err: errors.New("the cache is closed"),
	}
}

func ended(ctx context.Context, r provider.Request) *provider.Error {
	return &provider.Error{Kind: provider.ErrTimeout, Op: "wait for credential", Project: r.Project, Err: ctx.Err()}
}
