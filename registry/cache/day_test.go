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

// A day of 10,000 projects, each asked once a minute.
func TestDay(t *testing.T) {
	t.Parallel()
	projects := 10_000
	if testing.Short() || raceEnabled {
		projects = 500
	}
	synctest.Test(t, func(t *testing.T) {
		const (
			life, day    = time.Hour, 24 * time.Hour
			minRemaining = 15 * time.Minute
			steps        = 100 // of a minute
		)
		all := make([]provider.Request, projects)
		index := make(map[provider.Request]int, projects)
		for i := range all {
			all[i] = numbered(i)
			index[all[i]] = i
		}
		// When each project's last two issues were.
		var mu sync.Mutex
		last := make([][2]time.Time, projects)
		tooMany := 0
		u := &upstream{latency: 50 * time.Millisecond, life: life}
		u.hook = func(_ context.Context, r provider.Request, n int) error {
			mu.Lock()
			defer mu.Unlock()
			i, now := index[r], time.Now()
			if n > 2 && now.Sub(last[i][0]) < life {
				tooMany++
			}
			last[i] = [2]time.Time{last[i][1], now}
			return nil
		}
		c := newCache(t, u, cache.Options{MinRemaining: minRemaining})
		var wg sync.WaitGroup
		for _, r := range all {
			wg.Go(func() { ask(t, c, r) })
		}
		wg.Wait()

		var asked, waited, short int
		ctx, start := t.Context(), time.Now()
		for step := 0; time.Since(start) < day; step++ {
			for i := step % steps; i < projects; i += steps {
				before := time.Now()
				got, err := c.Credentials(ctx, all[i])
				if err != nil {
					t.Fatal(err)
				}
				asked++
				if now := time.Now(); !now.Equal(before) {
					waited++
				} else if got.ExpiresAt.Sub(now) < minRemaining {
					short++
				}
			}
			time.Sleep(time.Minute / steps)
		}
		require.Equal(t, projects*int(day/time.Minute), asked)
		require.Zero(t, waited, "requests that waited")
		require.Zero(t, short, "credentials with less than the minimum")
		require.Zero(t, tooMany, "more than two issues in a credential's life")
		total, peak := u.totals()
		require.LessOrEqual(t, total, projects*2*int(day/life))
		require.LessOrEqual(t, peak, 64)
		s := c.Stats()
		require.EqualValues(t, projects, s.Misses)
		require.Zero(t, s.Joins+s.Failures+s.Evictions+s.Refusals)
	})
}
