package cache_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// wrapper is a decorator outside of the cache.
type wrapper struct{ provider.Provider }

func (w wrapper) Unwrap() provider.Provider { return w.Provider }

func TestForget(t *testing.T) {
	t.Parallel()
	u := &upstream{}
	c := newCache(t, u, cache.Options{})
	forgetter, ok := provider.As[cache.Forgetter](wrapper{c})
	require.True(t, ok)
	all := requests("hello")
	askAll := func() {
		for _, r := range append(all, push("hello-b")) {
			ask(t, c, r)
		}
	}
	askAll()
	forgetter.Forget("hello")
	require.Equal(t, 3, c.Stats().Entries)
	askAll()
	for _, r := range all {
		want := 2
		if r.AllProjects {
			want = 1
		}
		require.Equal(t, want, u.count(r), "%+v", r)
	}
	forgetter.Forget("")
	forgetter.Forget("unknown")
	askAll()
	for _, r := range all {
		require.Equal(t, 2, u.count(r), "%+v", r)
	}
	require.Equal(t, 1, u.count(push("hello-b")))
}

// Two caches with a decorator between them.
func TestForgetOfTwo(t *testing.T) {
	t.Parallel()
	u := &upstream{}
	c := newCache(t, wrapper{newCache(t, u, cache.Options{})}, cache.Options{})
	ask(t, c, push("hello"))
	c.Forget("hello")
	require.Equal(t, "hello/2", ask(t, c, push("hello")))
	c.ForgetAll()
	require.Equal(t, "hello/3", ask(t, c, push("hello")))
}

// A name's former owner and its next one share nothing, failures included.
func TestIDsApart(t *testing.T) {
	t.Parallel()
	u := &upstream{hook: func(_ context.Context, r provider.Request, _ int) error {
		if r.ProjectID == "p-1" {
			return provider.ErrOrphaned
		}
		return nil
	}}
	c := newCache(t, u, cache.Options{})
	former, next := push("hello"), push("hello")
	former.ProjectID, next.ProjectID = "p-1", "p-2"
	for range 2 {
		_, err := c.Credentials(t.Context(), former)
		require.ErrorIs(t, err, provider.ErrOrphaned)
		ask(t, c, next)
		ask(t, c, push("hello"))
	}
	for _, r := range []provider.Request{former, next, push("hello")} {
		require.Equal(t, 1, u.count(r))
	}
}

func TestForgetAll(t *testing.T) {
	t.Parallel()
	u := &upstream{}
	c := newCache(t, u, cache.Options{})
	forgetter, ok := provider.As[cache.Forgetter](wrapper{c})
	require.True(t, ok)
	all := append(requests("hello"), requests("other")[2:]...)
	for round := range 3 {
		for _, r := range all {
			ask(t, c, r)
			require.Equal(t, round+1, u.count(r), "%+v", r)
		}
		require.Equal(t, len(all), c.Stats().Entries)
		forgetter.ForgetAll()
		require.Zero(t, c.Stats().Entries)
	}
	require.NoError(t, c.Close())
	forgetter.ForgetAll()
}

// keeper is an upstream that keeps something itself: what it issues is good only once it has forgotten.
type keeper struct {
	*upstream
	forgot int
}

func (k *keeper) ForgetAll() { k.forgot++ }

func TestForgetAllReachesTheProvider(t *testing.T) {
	t.Parallel()
	k := &keeper{upstream: &upstream{}}
	c := newCache(t, wrapper{k}, cache.Options{})
	c.Forget("hello")
	require.Zero(t, k.forgot)
	c.ForgetAll()
	require.Equal(t, 1, k.forgot)
}

func TestForgetFailures(t *testing.T) {
	t.Parallel()
	f := &failing{err: provider.ErrAccessDenied}
	u := &upstream{hook: f.hook}
	c := newCache(t, u, cache.Options{})
	_, err := c.Credentials(t.Context(), push("hello"))
	require.ErrorIs(t, err, provider.ErrAccessDenied)
	f.set(nil)
	c.Forget("hello")
	require.Equal(t, "hello/2", ask(t, c, push("hello")))

	f.set(provider.ErrAccessDenied)
	_, err = c.Credentials(t.Context(), push("other"))
	require.ErrorIs(t, err, provider.ErrAccessDenied)
	f.set(nil)
	c.ForgetAll()
	require.Equal(t, "other/2", ask(t, c, push("other")))
}

// What is on its way when a project is forgotten is not kept, whether it is the first credential, a refresh or a failure.
func TestForgetDuringIssue(t *testing.T) {
	t.Parallel()
	forgetHello := func(c *cache.Cache) { c.Forget("hello") }
	for name, test := range map[string]struct {
		refresh, fails bool
		forget         func(*cache.Cache)
	}{
		"first":               {forget: forgetHello},
		"refresh":             {refresh: true, forget: forgetHello},
		"failure":             {fails: true, forget: forgetHello},
		"failed refresh":      {refresh: true, fails: true, forget: forgetHello},
		"first, all":          {forget: (*cache.Cache).ForgetAll},
		"refresh, all":        {refresh: true, forget: (*cache.Cache).ForgetAll},
		"failure, all":        {fails: true, forget: (*cache.Cache).ForgetAll},
		"failed refresh, all": {refresh: true, fails: true, forget: (*cache.Cache).ForgetAll},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, slow := push("hello"), 1
				if test.refresh {
					slow = 2
				}
				u := &upstream{latency: time.Second}
				u.hook = func(_ context.Context, _ provider.Request, n int) error {
					if n != slow {
						return nil
					}
					time.Sleep(10 * time.Second)
					if test.fails {
						return provider.ErrAccessDenied
					}
					return nil
				}
				c := newCache(t, u, cache.Options{})
				var wg sync.WaitGroup
				if test.refresh {
					ask(t, c, r)
					time.Sleep(30 * time.Minute)
					ask(t, c, r)
				} else {
					wg.Go(func() {
						got, err := c.Credentials(t.Context(), r)
						if test.fails {
							require.ErrorIs(t, err, provider.ErrAccessDenied)
							return
						}
						require.NoError(t, err)
						require.Equal(t, "hello/1", got.Password.Reveal(), "who asked before gets what was issued before")
					})
				}
				synctest.Wait()
				require.Equal(t, slow, u.count(r))
				test.forget(c)
				require.Zero(t, c.Stats().Entries)

				after := u.count(r) + 1
				start := time.Now()
				got := ask(t, c, r)
				require.Equal(t, time.Second, time.Since(start), "it has its own issue")
				wg.Wait()
				time.Sleep(time.Minute)
				require.Equal(t, got, ask(t, c, r), "the forgotten one didn't replace it")
				require.Equal(t, after, u.count(r))
			})
		})
	}
}

func TestForgetWhileQueued(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{latency: time.Second}
		c := newCache(t, u, cache.Options{MaxInFlight: 1})
		var wg sync.WaitGroup
		wg.Go(func() { ask(t, c, push("first")) })
		synctest.Wait()
		wg.Go(func() { ask(t, c, push("hello")) })
		synctest.Wait()
		c.Forget("hello") // what isn't issued yet isn't affected
		wg.Wait()
		require.Equal(t, "hello/1", ask(t, c, push("hello")))
		require.EqualValues(t, 1, c.Stats().Hits)
	})
}
