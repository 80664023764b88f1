package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// failing fails with err from the second issue on, or from the first, while it's set.
type failing struct {
	mu  sync.Mutex
	err error
}

func (f *failing) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *failing) hook(context.Context, provider.Request, int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		err   error
		waits []time.Duration
	}{
		"each later": {&provider.Error{Kind: provider.ErrUnavailable, Err: broken}, []time.Duration{
			time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second,
		}},
		"as the upstream says, within bounds": {
			&provider.Error{Kind: provider.ErrUnavailable, RetryAfter: 3 * time.Second, Err: broken},
			[]time.Duration{3 * time.Second, 3 * time.Second, 4 * time.Second, 5 * time.Second},
		},
		"a refusal": {&provider.Error{Kind: provider.ErrAccessDenied, Err: broken}, []time.Duration{time.Second, 2 * time.Second}},
		"a bug":     {broken, []time.Duration{time.Second, 2 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &failing{err: test.err}
				u := &upstream{life: 8 * time.Second, hook: f.hook}
				c, r := newCache(t, u, cache.Options{}), push("hello")
				refused := func(issued int) time.Duration { // until when it says
					_, err := c.Credentials(t.Context(), r)
					require.ErrorIs(t, err, broken)
					require.Equal(t, provider.KindOf(test.err), provider.KindOf(err))
					require.Equal(t, issued, u.count(r))
					var e *provider.Error
					if !errors.As(err, &e) {
						return 0
					}
					return e.RetryAfter
				}
				for i, wait := range test.waits {
					_ = refused(i + 1) // by the upstream
					time.Sleep(wait / 2)
					require.Equal(t, wait/2, refused(i+1))
					time.Sleep(wait/2 - 1)
					require.Equal(t, time.Duration(1), refused(i+1))
					time.Sleep(time.Nanosecond)
				}
				f.set(nil)
				ask(t, c, r)
				f.set(test.err)
				time.Sleep(6 * time.Second) // the credential lives for eight
				n := len(test.waits)
				_ = refused(n + 2)
				time.Sleep(test.waits[0]) // a success begins anew
				f.set(nil)
				ask(t, c, r)
				require.Equal(t, cache.Stats{
					Misses: uint64(n + 3), Refusals: uint64(2 * n), Failures: uint64(n + 1),
					Entries: 1, EarliestExpiry: time.Now().Add(8 * time.Second),
				}, c.Stats())
			})
		})
	}
}

func TestOneKeysBackoffIsItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{hook: func(_ context.Context, r provider.Request, _ int) error {
			if r.Project == "broken" && r.Access == provider.Push {
				return provider.ErrMisconfigured
			}
			return nil
		}}
		c := newCache(t, u, cache.Options{MaxEntries: 3})
		for range 100 {
			_, err := c.Credentials(t.Context(), push("broken"))
			require.ErrorIs(t, err, provider.ErrMisconfigured)
			ask(t, c, push("hello"))
			ask(t, c, provider.Request{Project: "broken", Access: provider.Pull})
		}
		require.Equal(t, 1, u.count(push("broken")))
		total, _ := u.totals()
		require.Equal(t, 3, total)

		time.Sleep(3 * time.Minute) // forgotten: the next failure is a first one
		_, err := c.Credentials(t.Context(), push("broken"))
		require.ErrorIs(t, err, provider.ErrMisconfigured)
		time.Sleep(time.Second)
		_, err = c.Credentials(t.Context(), push("broken"))
		require.ErrorIs(t, err, provider.ErrMisconfigured)
		require.Equal(t, 3, u.count(push("broken")))
	})
}

func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()
	f := &failing{err: provider.ErrUnavailable}
	u := &upstream{hook: f.hook}
	c := newCache(t, u, cache.Options{MaxEntries: 3})
	for range 2 {
		for i := range 4 {
			_, err := c.Credentials(t.Context(), numbered(i))
			require.ErrorIs(t, err, provider.ErrUnavailable)
		}
	}
	total, _ := u.totals()
	require.Greater(t, total, 4, "one had to be forgotten")
	require.LessOrEqual(t, total, 8)
}

func TestFailedRefresh(t *testing.T) {
	t.Parallel()
	for _, kind := range []error{
		provider.ErrThrottled, provider.ErrUnavailable, provider.ErrTimeout, provider.ErrBadResponse,
		provider.ErrMisconfigured, errors.New("a bug"),
	} {
		t.Run(kind.Error(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &failing{}
				u := &upstream{hook: f.hook}
				c, r := newCache(t, u, cache.Options{}), push("hello")
				ask(t, c, r)
				time.Sleep(30 * time.Minute)
				f.set(kind)
				start := time.Now()
				var attempts []time.Duration
				for range 200 {
					before := u.count(r)
					require.Equal(t, "hello/1", ask(t, c, r), "the old one is still good")
					synctest.Wait()
					if u.count(r) > before {
						attempts = append(attempts, time.Since(start))
					}
					time.Sleep(time.Second)
				}
				require.Equal(t, []time.Duration{
					0, time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 31 * time.Second,
					63 * time.Second, 123 * time.Second, 183 * time.Second,
				}, attempts)
				require.EqualValues(t, 9, c.Stats().Failures)
				f.set(nil)
				time.Sleep(time.Minute)
				ask(t, c, r)
				synctest.Wait()
				require.Equal(t, "hello/11", ask(t, c, r))
			})
		})
	}
}

func TestOutageDuringRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &failing{}
		u := &upstream{hook: f.hook}
		c, r := newCache(t, u, cache.Options{}), push("hello")
		ask(t, c, r)
		f.set(provider.ErrUnavailable)
		for i := range 60 {
			_, err := c.Credentials(t.Context(), r)
			if i < 45 {
				require.NoError(t, err, "minute %d", i)
			} else {
				require.ErrorIs(t, err, provider.ErrUnavailable, "minute %d", i)
			}
			time.Sleep(time.Minute)
		}
		_, err := c.Credentials(t.Context(), r)
		require.Error(t, err)
		f.set(nil)
		time.Sleep(5 * time.Second)
		ask(t, c, r) // recovers in seconds
	})
}

func TestRefusedRefreshDropsAtOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []provider.Kind{
		provider.ErrAccessDenied, provider.ErrNotFound, provider.ErrNotOurs, provider.ErrOrphaned, provider.ErrConflict,
		provider.ErrUnsupported, provider.ErrInvalidRequest,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &failing{}
				u := &upstream{hook: f.hook}
				c, r := newCache(t, u, cache.Options{}), push("hello")
				ask(t, c, r)
				f.set(&provider.Error{Kind: kind})
				time.Sleep(30 * time.Minute)
				ask(t, c, r)
				synctest.Wait()
				_, err := c.Credentials(t.Context(), r)
				require.ErrorIs(t, err, kind)
				require.Zero(t, c.Stats().Entries)
				f.set(nil)
				time.Sleep(time.Second)
				require.NotEqual(t, "hello/1", ask(t, c, r))
			})
		})
	}
}

func TestThrottlingSlowsInsteadOfFailing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		at := map[string][]time.Duration{}
		u := &upstream{latency: 100 * time.Millisecond}
		u.hook = func(_ context.Context, r provider.Request, n int) error { // MaxInFlight is 1
			at[r.Project] = append(at[r.Project], time.Since(start)/u.latency)
			switch {
			case r.Project == "a" && n == 1:
				return &provider.Error{Kind: provider.ErrThrottled} // a second
			case r.Project == "a" && n == 2:
				return &provider.Error{Kind: provider.ErrThrottled, RetryAfter: 3 * time.Second}
			case r.Project == "a" && n == 3:
				return &provider.Error{Kind: provider.ErrThrottled, RetryAfter: time.Hour} // ten seconds
			}
			return nil
		}
		c := newCache(t, u, cache.Options{MaxInFlight: 1})
		var wg sync.WaitGroup
		for _, p := range []string{"a", "b"} {
			wg.Go(func() { ask(t, c, push(p)) })
			synctest.Wait()
		}
		wg.Wait()
		// First of all the first time; then behind the others, for it may be the only one.
		require.Equal(t, map[string][]time.Duration{"a": {1, 12, 44, 145}, "b": {43}}, at)
		require.EqualValues(t, 3, c.Stats().Throttled)
		require.Zero(t, c.Stats().Failures)
	})
}

func TestThrottlingIsTheErrorOfThoseWhoLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &failing{err: &provider.Error{Kind: provider.ErrThrottled, Op: "assume push role", RetryAfter: 8 * time.Second}}
		u := &upstream{hook: f.hook}
		c := newCache(t, u, cache.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for _, p := range []string{"a", "b"} { // b is held up by a
			wg.Go(func() {
				_, err := c.Credentials(ctx, push(p))
				require.ErrorIs(t, err, provider.ErrThrottled)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				var e *provider.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, 3*time.Second, e.RetryAfter)
				require.Equal(t, p, e.Project)
			})
			synctest.Wait()
		}
		wg.Wait()
		total, _ := u.totals()
		require.Equal(t, 1, total)
		require.Zero(t, c.Stats().Queued)

		// The next who comes waits for the pause to end, instead of being refused.
		f.set(nil)
		start := time.Now()
		ask(t, c, push("a"))
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestThrottlingIsTheErrorDuringTheNextAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{latency: 2 * time.Second, hook: func(context.Context, provider.Request, int) error {
			return &provider.Error{Kind: provider.ErrThrottled, Op: "assume push role"}
		}}
		c := newCache(t, u, cache.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		_, err := c.Credentials(ctx, push("hello"))
		require.ErrorIs(t, err, provider.ErrThrottled)
		require.ErrorContains(t, err, "assume push role")
		require.Equal(t, 2, u.count(push("hello")))
	})
}

// A broken project whose callers have credentials of their own costs the upstream what one does with a shared one.
func TestCallersFailTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &failing{err: &provider.Error{Kind: provider.ErrUnavailable, Err: errors.New("broken")}}
		u := &upstream{latency: time.Second / 10, hook: f.hook}
		c := newCache(t, u, cache.Options{MaxInFlight: 4})
		asAll := func() (failed int) {
			var mu sync.Mutex
			var wait sync.WaitGroup
			for i := range 1000 {
				wait.Go(func() {
					r := provider.Request{Project: "hello", Access: provider.Push, Caller: fmt.Sprint("job-", i)}
					if _, err := c.Credentials(t.Context(), r); err != nil {
						require.ErrorContains(t, err, "broken")
						mu.Lock()
						defer mu.Unlock()
						failed++
					}
				})
			}
			wait.Wait()
			return failed
		}
		for range 60 {
			require.Equal(t, 1000, asAll())
			time.Sleep(time.Second)
		}
		require.LessOrEqual(t, u.total, 4*15, "a minute of it")
		require.Zero(t, c.Stats().Queued)
		f.set(nil)
		time.Sleep(5 * time.Second)
		require.Zero(t, asAll(), "repaired")
	})
}
