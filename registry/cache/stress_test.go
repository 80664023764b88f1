package cache_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// stress has callers, cancellations, failures, panics, throttling, expiry, eviction, Forget and Close meet. second is
// how long a second lasts.
func stress(t *testing.T, seed uint64, callers, rounds int, second time.Duration) {
	t.Helper()
	const (
		projects    = 10
		maxInFlight = 6
	)
	life, odds := 20*second, 40
	if second < time.Second {
		odds = 2000 // of failures, after which nothing happens for long
	}
	u := &upstream{life: life}
	u.hook = func(ctx context.Context, _ provider.Request, _ int) error {
		select {
		case <-time.After(rand.N(2 * second)):
		case <-ctx.Done():
			return ctx.Err()
		}
		switch rand.IntN(odds) {
		case 0:
			return provider.ErrUnavailable
		case 1:
			return provider.ErrAccessDenied
		case 2:
			return &provider.Error{Kind: provider.ErrThrottled}
		case 3:
			panic("bug")
		}
		return nil
	}
	c := cache.New(u, cache.Options{MaxEntries: projects*4 - 5, MaxInFlight: maxInFlight, IssueTimeout: second * 19 / 10})
	var floor [projects]atomic.Int64 // of issues that may be handed out

	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(i)))
			for range rounds {
				p := rnd.IntN(projects)
				all := requests(numbered(p).Project)
				r := all[2+rnd.IntN(len(all)-2)]
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rnd.Int64N(int64(10*second))))
				least := floor[p].Load()
				got, err := c.Credentials(ctx, r)
				cancel()
				if err == nil {
					now := time.Now()
					n, convErr := strconv.ParseInt(strings.TrimPrefix(got.Password.Reveal(), r.Project+"/"), 10, 64)
					switch {
					case convErr != nil || got.Access != r.Access || !strings.HasPrefix(got.Target.String(), r.Consumer.String()):
						t.Errorf("%+v was answered with %v", r, got)
					case second == time.Second && got.ExpiresAt.Sub(now) < life/4:
						t.Errorf("expires in %v", got.ExpiresAt.Sub(now))
					case n <= least:
						t.Errorf("issue %d was forgotten", n)
					}
				} else if errors.Is(err, provider.ErrInvalidRequest) {
					t.Error(err)
				}
				switch rnd.IntN(400) {
				case 0:
					before := 1 << 62
					for _, r := range all[2:] {
						before = min(before, u.count(r))
					}
					c.Forget(all[2].Project)
					if old := floor[p].Load(); int64(before) > old {
						floor[p].CompareAndSwap(old, int64(before))
					}
				case 1:
					_ = c.Stats()
				}
				time.Sleep(time.Duration(rnd.Int64N(int64(2 * second))))
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			time.Sleep(time.Duration(rounds) * second * 9 / 10)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s := c.Stats()
	require.Zero(t, s.InFlight+s.Queued+s.Entries)
	total, peak := u.totals()
	require.LessOrEqual(t, peak, maxInFlight)
	require.Positive(t, total)
	if second == time.Second { // otherwise backing off takes far too long
		for _, n := range []uint64{s.Hits, s.Misses, s.Joins, s.Refusals, s.Refreshes, s.Failures, s.Throttled, s.Evictions} {
			require.Positive(t, n, "%+v", s)
		}
	}
	t.Logf("%+v", s)
}

func TestStress(t *testing.T) {
	t.Parallel()
	seeds := 5
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { stress(t, uint64(seed), 50, 400, time.Second) }) // no goroutine may be left
	}
}

// Not parallel: no goroutine may be left. In real time, where nothing waits for the others to stand still.
func TestStressInRealTime(t *testing.T) {
	leak := goleak.IgnoreCurrent()
	stress(t, 1, 100, 1000, time.Millisecond)
	goleak.VerifyNone(t, leak)
}
