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
	"github.com/rise-deploy/rise-registry-go/provider/decorator"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// Of ever new projects so many are issued a second, refreshes among them, and no more in any second than that and the burst.
func TestPace(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options cache.Options
		burst   int
	}{
		"a fifth at once":        {cache.Options{MaxPerSecond: 100, MaxInFlight: 5}, 20},
		"as many as may run":     {cache.Options{MaxPerSecond: 100, MaxInFlight: 64}, 64},
		"one a second":           {cache.Options{MaxPerSecond: 1, MaxInFlight: 1}, 1},
		"less than take so long": {cache.Options{MaxPerSecond: 3, MaxInFlight: 1}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var begun []time.Time
				u := &upstream{latency: 25 * time.Millisecond, hook: func(context.Context, provider.Request, int) error {
					mu.Lock()
					defer mu.Unlock()
					begun = append(begun, time.Now())
					return nil
				}}
				c := newCache(t, u, test.options)
				projects := 10 * test.options.MaxPerSecond
				round := func() {
					start := time.Now()
					var all sync.WaitGroup
					for i := range projects {
						all.Go(func() { ask(t, c, numbered(i)) })
					}
					all.Wait()
					least := time.Duration(projects-test.burst) * time.Second / time.Duration(test.options.MaxPerSecond)
					require.InDelta(t, least, time.Since(start), float64(time.Second), "as fast as may be")
				}
				round()
				time.Sleep(31 * time.Minute) // kept, and due to be refreshed
				before := time.Now()
				for i := range projects {
					ask(t, c, numbered(i))
				}
				require.Zero(t, time.Since(before), "no hit waits")
				time.Sleep(time.Minute)
				synctest.Wait()
				require.Len(t, begun, 2*projects, "each was refreshed")
				c.ForgetAll()
				round()
				for i, at := range begun {
					in := 0
					for _, other := range begun[i:] {
						if other.Sub(at) < time.Second {
							in++
						}
					}
					require.LessOrEqual(t, in, test.options.MaxPerSecond+test.burst)
				}
			})
		})
	}
}

// However many one caller asks for, another's comes with the next turn, and what doesn't come in time is throttled, not timed out.
func TestPaceIsFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{latency: 25 * time.Millisecond}
		c := newCache(t, u, cache.Options{MaxPerSecond: 100})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var all sync.WaitGroup
		failures := make(chan error, 5000)
		for i := range 5000 {
			all.Go(func() {
				_, err := c.Credentials(decorator.OnBehalfOf(ctx, "mallory"), push(fmt.Sprint("mallory-", i)))
				if err != nil {
					failures <- err
				}
			})
		}
		synctest.Wait()
		for i := range 100 {
			start := time.Now()
			_, err := c.Credentials(decorator.OnBehalfOf(t.Context(), "alice"), push(fmt.Sprint("alice-", i)))
			require.NoError(t, err)
			require.LessOrEqual(t, time.Since(start), (25+25)*time.Millisecond, "an issue that ends, or two turns, and its own")
		}
		all.Wait()
		close(failures)
		throttled := 0
		for err := range failures {
			if errors.Is(err, provider.ErrThrottled) {
				var failure *provider.Error
				require.ErrorAs(t, err, &failure)
				require.Positive(t, failure.RetryAfter)
				throttled++
			}
		}
		require.InDelta(t, 5000+100-(30*100+64), throttled, 5, "all but what was running")
		total, _ := u.totals()
		require.InDelta(t, 30*100+64, total, 1)
		require.Zero(t, c.Stats().Queued)
	})
}

// What is answered without an issue takes nobody's turn.
func TestPaceCountsIssues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		c := newCache(t, u, cache.Options{MaxPerSecond: 1, MaxInFlight: 2})
		ask(t, c, push("kept"))
		for range 1000 {
			ask(t, c, push("kept"))
			_, err := c.Credentials(t.Context(), push("Not A Name"))
			require.ErrorIs(t, err, provider.ErrInvalidRequest)
		}
		start := time.Now()
		ask(t, c, push("second"))
		require.Zero(t, time.Since(start))
		ask(t, c, push("third"))
		require.Equal(t, time.Second, time.Since(start))
	})
}
