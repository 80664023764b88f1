package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

func TestThousandCallersOneIssue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{latency: 100 * time.Millisecond}
		c := newCache(t, u, cache.Options{})
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() { require.Equal(t, "hello/1", ask(t, c, push("hello"))) })
		}
		wg.Wait()
		require.Equal(t, 1, u.count(push("hello")))
		require.Equal(t, cache.Stats{Misses: 1, Joins: 999, Entries: 1, EarliestExpiry: c.Stats().EarliestExpiry}, c.Stats())
	})
}

// The credential may come after a caller looked for it, and before it begins an issue of its own.
func TestLateHit(t *testing.T) {
	t.Parallel()
	u := &upstream{}
	c, r := newCache(t, u, cache.Options{}), push("hello")
	var asked atomic.Bool
	u.named = func(string) { // is called in between
		if asked.CompareAndSwap(false, true) {
			ask(t, c, r)
		}
	}
	require.Equal(t, "hello/1", ask(t, c, r))
	require.Equal(t, 1, u.count(r))
	require.EqualValues(t, 1, c.Stats().Hits)
	require.EqualValues(t, 1, c.Stats().Misses)
}

func TestSlowKeysDelayNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{latency: 50 * time.Millisecond}
		c := newCache(t, u, cache.Options{})
		ask(t, c, push("warm"))
		u.hook = func(_ context.Context, r provider.Request, _ int) error {
			if r == push("slow") {
				time.Sleep(10 * time.Second)
			}
			return nil
		}
		var wg sync.WaitGroup
		start := time.Now()
		wg.Go(func() { ask(t, c, push("slow")) })
		for i := range 20 {
			wg.Go(func() {
				ask(t, c, numbered(i))
				require.Equal(t, 50*time.Millisecond, time.Since(start), "not one after the other")
			})
		}
		for range 1000 {
			before := time.Now()
			ask(t, c, push("warm"))
			require.Zero(t, time.Since(before), "no hit waits")
			time.Sleep(100 * time.Microsecond)
		}
		wg.Wait()
	})
}

func TestWaitersLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{latency: 20 * time.Second}
		c, r := newCache(t, u, cache.Options{}), push("hello")
		start := time.Now()
		var wg sync.WaitGroup
		for _, test := range []struct {
			patience time.Duration
			want     error
		}{{time.Second, context.DeadlineExceeded}, {2 * time.Second, context.DeadlineExceeded}, {30 * time.Second, nil}} {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), test.patience)
				defer cancel()
				_, err := c.Credentials(ctx, r)
				if test.want == nil {
					require.NoError(t, err)
					require.Equal(t, 20*time.Second, time.Since(start))
					return
				}
				require.ErrorIs(t, err, test.want)
				require.ErrorIs(t, err, provider.ErrTimeout)
				require.Equal(t, test.patience, time.Since(start), "left when its own context ended")
			})
			synctest.Wait()
		}
		wg.Wait()
		require.Equal(t, 1, u.count(r), "whoever leaves, there is one issue")
	})
}

func TestIssueOutlivesItsCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		u := &upstream{latency: 10 * time.Second}
		u.hook = func(ctx context.Context, _ provider.Request, _ int) error {
			deadline, ok := ctx.Deadline()
			if !ok || time.Until(deadline) != 10*time.Second {
				return errors.New("not the cache's own time limit")
			}
			if ctx.Value(key{}) != "trace" {
				return errors.New("not the first caller's values")
			}
			return nil
		}
		c := newCache(t, u, cache.Options{IssueTimeout: 20 * time.Second})
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "trace"))
		time.AfterFunc(time.Second, cancel)
		_, err := c.Credentials(ctx, push("hello"))
		require.ErrorIs(t, err, provider.ErrTimeout)
		require.ErrorIs(t, err, context.Canceled)
		time.Sleep(10 * time.Second)
		require.Equal(t, "hello/1", ask(t, c, push("hello")), "the result was kept")
		require.EqualValues(t, 1, c.Stats().Hits)

		// An ended context gets what is there, and starts nothing.
		got, err := c.Credentials(ctx, push("hello"))
		require.NoError(t, err)
		require.Equal(t, "hello/1", got.Password.Reveal())
		_, err = c.Credentials(ctx, push("other"))
		require.ErrorIs(t, err, context.Canceled)
		synctest.Wait()
		require.Zero(t, u.count(push("other")))
	})
}

func TestIssueTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{latency: time.Hour}
		c := newCache(t, u, cache.Options{})
		start := time.Now()
		_, err := c.Credentials(t.Context(), push("hello"))
		require.ErrorIs(t, err, provider.ErrTimeout)
		require.Equal(t, time.Minute, time.Since(start))
		require.Zero(t, c.Stats().InFlight)
	})
}

func TestMaxInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{latency: time.Second}
		c := newCache(t, u, cache.Options{MaxInFlight: 3})
		var wg sync.WaitGroup
		for i := range 9 {
			wg.Go(func() { ask(t, c, numbered(i)) })
			synctest.Wait()
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		for range 2 {
			wg.Go(func() {
				_, err := c.Credentials(impatient, push("impatient"))
				require.ErrorIs(t, err, provider.ErrTimeout)
			})
		}
		synctest.Wait()
		require.Equal(t, 3, c.Stats().InFlight)
		require.Equal(t, 7, c.Stats().Queued)
		start := time.Now()
		wg.Wait()
		require.Equal(t, 3*time.Second, time.Since(start))
		_, peak := u.totals()
		require.Equal(t, 3, peak)
		require.Zero(t, u.count(push("impatient")), "nobody waited for it when its turn came")
		require.Equal(t, "impatient/1", ask(t, c, push("impatient")), "and it isn't stuck")
		require.Zero(t, c.Stats().Queued)
	})
}

func TestCallersComeBeforeRefreshes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var order []string
		u := &upstream{latency: time.Second}
		u.hook = func(_ context.Context, r provider.Request, n int) error { // one at a time
			order = append(order, fmt.Sprint(r.Project, n))
			return nil
		}
		c := newCache(t, u, cache.Options{MaxInFlight: 1})
		ask(t, c, push("a"))
		ask(t, c, push("b"))
		time.Sleep(40 * time.Minute)
		var wg sync.WaitGroup
		wg.Go(func() { ask(t, c, push("c")) })
		synctest.Wait()
		ask(t, c, push("a")) // queues refreshes
		ask(t, c, push("b"))
		wg.Go(func() { ask(t, c, push("d")) })
		wg.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"a1", "b1", "c1", "d1", "a2", "b2"}, order)
	})
}

func TestQueuedRefreshBecomesACallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{hook: func(_ context.Context, r provider.Request, _ int) error {
			if r.Project == "slow" {
				time.Sleep(30 * time.Second)
			}
			return nil
		}}
		c := newCache(t, u, cache.Options{MaxInFlight: 1})
		for _, p := range []string{"joined", "unused"} {
			ask(t, c, push(p))
		}
		time.Sleep(45*time.Minute - time.Second)
		var wg sync.WaitGroup
		wg.Go(func() { ask(t, c, push("slow")) })
		synctest.Wait()
		for _, p := range []string{"joined", "unused"} {
			require.Equal(t, p+"/1", ask(t, c, push(p)))
		}
		require.Equal(t, 2, c.Stats().Queued)
		time.Sleep(time.Second) // now they can't be used any more
		start := time.Now()
		require.Equal(t, "joined/2", ask(t, c, push("joined")))
		require.Equal(t, 29*time.Second, time.Since(start))
		wg.Wait()
		require.Zero(t, c.Stats().Queued)
		require.Equal(t, 1, u.count(push("unused")), "nobody wants it")
		require.Equal(t, "unused/2", ask(t, c, push("unused")))
	})
}

func TestWarming(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const projects, latency = 10_000, 25 * time.Millisecond
		u := &upstream{latency: latency}
		c := newCache(t, u, cache.Options{})
		start := time.Now()
		var wg sync.WaitGroup
		for i := range projects {
			wg.Go(func() { ask(t, c, numbered(i)) })
		}
		wg.Wait()
		least := (projects + 63) / 64 * latency
		require.LessOrEqual(t, time.Since(start), least+least/5)
		total, peak := u.totals()
		require.Equal(t, projects, total)
		require.Equal(t, 64, peak)
		require.Zero(t, c.Stats().Failures)
	})
}

// unwrappable panics when it is looked at.
type unwrappable struct{}

func (unwrappable) Error() string { return "" }
func (unwrappable) Unwrap() error { panic("s3cr3t") }

func TestBugsOfTheProvider(t *testing.T) {
	t.Parallel()
	for name, bug := range map[string]func() error{
		"panics":                  func() error { panic("s3cr3t") },
		"panics at run time":      func() error { _ = []int{}[len(numbered(1).Project)-len(numbered(2).Project)]; return nil },
		"ends its goroutine":      func() error { runtime.Goexit(); return nil },
		"returns a nil *Error":    func() error { return (*provider.Error)(nil) },
		"returns the unwrappable": func() error { return unwrappable{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				u := &upstream{latency: time.Second, hook: func(_ context.Context, _ provider.Request, n int) error {
					if n == 1 {
						return bug()
					}
					return nil
				}}
				c, r := newCache(t, u, cache.Options{MaxInFlight: 1}), push("hello")
				var failed atomic.Int32
				var wg sync.WaitGroup
				for range 10 {
					wg.Go(func() {
						got, err := c.Credentials(t.Context(), r)
						require.ErrorContains(t, err, "a bug in the provider")
						require.NotContains(t, err.Error(), "s3cr3t")
						require.Empty(t, provider.KindOf(err))
						require.Equal(t, provider.Credentials{}, got)
						failed.Add(1)
					})
				}
				wg.Wait()
				require.EqualValues(t, 10, failed.Load())
				time.Sleep(time.Second)
				require.Equal(t, "hello/2", ask(t, c, r), "neither the key nor the turn is lost")
			})
		})
	}
}
