package cache

import (
	"context"
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
	core
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
	o = o.withDefaults()
	c := &Cache{provider: p, inner: p, core: core{
		options: o, pace: o.pace(), round: 1, calls: map[provider.Request]*call{}, failures: map[provider.Request]failure{},
	}}
	c.issue = func(ctx context.Context, r provider.Request) (decorator.Issued, error) {
		return decorator.IssueForReuse(ctx, c, p, r)
	}
	c.life, c.end = context.WithCancel(context.Background())
	c.hits.init()
	c.kept.init()
	if m, ok := provider.As[repository.Manager](p); ok {
		c.inner = &repositories{Provider: p, Manager: m, forgets: c.Forget}
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

// Forget drops all credentials that are kept for project, of every id that the name has had, every access, consumer and caller,
// and what is remembered of failures. An issue that is running is left to those who wait for it, but its result isn't kept, and who asks from now
// on gets one that was issued after Forget: what the wrapped provider keeps for itself it forgets first, if that has a method
// Forget too. An empty project stands for the credential for all projects, which no other
// call of Forget touches.
//
// It only forgets. The upstream revokes nothing: a credential that was handed out works until it expires. It looks at
// everything that is kept, which takes milliseconds; hits don't wait for it.
func (c *Cache) Forget(project string) {
	its := func(r provider.Request) bool { return r.Project == project && r.AllProjects == (project == "") }
	if p, ok := provider.As[interface{ Forget(project string) }](c.provider); ok {
		p.Forget(project)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var entries []*entry
	for _, e := range c.kept.heap {
		if its(e.issued.Request()) {
			entries = append(entries, e)
		}
	}
	for _, e := range entries {
		c.kept.drop(e)
	}
	c.forget(its)
}

// ForgetAll is [Cache.Forget] for every project, and for all projects: what to do when the upstream doesn't take any more what it
// issued, as after a role was made again or its sessions were revoked. What the wrapped provider keeps for itself it forgets first, if that
// has a method ForgetAll too.
func (c *Cache) ForgetAll() {
	if p, ok := provider.As[interface{ ForgetAll() }](c.provider); ok {
		p.ForgetAll()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.dropAll()
	c.forget(func(provider.Request) bool { return true })
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
