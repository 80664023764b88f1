package cache_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/decorator"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// flood has connections of one subject ask for ever new projects until ctx ends. It returns when all of them wait.
func flood(ctx context.Context, c *cache.Cache, subject string, connections int, wg *sync.WaitGroup) {
	ctx = decorator.OnBehalfOf(ctx, subject)
	var n atomic.Int64
	for range connections {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, _ = c.Credentials(ctx, push(fmt.Sprintf("%s-%d", subject, n.Add(1))))
			}
		})
	}
	synctest.Wait()
}

// One subject's 3,000 connections delay another's first credential by two issues at most, whatever else the queue holds.
func TestOneCallersNoiseStaysItsOwn(t *testing.T) {
	t.Parallel()
	for _, inFlight := range []int{1, 2, 3, 64} {
		for _, refreshes := range []int{0, 100} {
			t.Run(fmt.Sprintf("%d in flight, %d refreshes", inFlight, refreshes), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					const latency = time.Second
					u := &upstream{}
					c := newCache(t, u, cache.Options{MaxInFlight: inFlight})
					for i := range refreshes {
						ask(t, c, push(fmt.Sprint("kept-", i)))
					}
					time.Sleep(31 * time.Minute)
					u.latency = latency
					ctx, cancel := context.WithCancel(t.Context())
					var wg sync.WaitGroup
					flood(ctx, c, "mallory", 3000, &wg)
					for i := range refreshes {
						ask(t, c, push(fmt.Sprint("kept-", i)))
					}
					for i := range 10 {
						time.Sleep(1300 * time.Millisecond)
						start := time.Now()
						_, err := c.Credentials(decorator.OnBehalfOf(t.Context(), fmt.Sprint("alice-", i%3)), push(fmt.Sprint("alice-", i)))
						require.NoError(t, err)
						require.LessOrEqual(t, time.Since(start), latency+2*latency)
					}
					cancel()
					wg.Wait()
					require.LessOrEqual(t, c.Stats().Queued, refreshes, "nothing of the flood")
				})
			})
		}
	}
}

// Each of several noisy callers gets its share, and who tells its caller by the request alone does too.
func TestTurnsAreFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{latency: time.Second}
		c := newCache(t, u, cache.Options{MaxInFlight: 1})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		flood(ctx, c, "mallory", 300, &wg)
		flood(ctx, c, "moritz", 30, &wg)
		for i := range 30 {
			wg.Go(func() {
				_, _ = c.Credentials(ctx, provider.Request{Project: "hello", Access: provider.Push, Caller: fmt.Sprint("job-", i%2)})
			})
			wg.Go(func() { _, _ = c.Credentials(ctx, push(fmt.Sprint("nobodys-", i))) })
		}
		synctest.Wait()
		time.Sleep(30 * time.Second)
		cancel()
		wg.Wait()
		by := map[string]int{}
		u.mu.Lock() // one is still running
		defer u.mu.Unlock()
		for r, n := range u.issued {
			name, _, _ := strings.Cut(r.Project, "-")
			by[name+r.Caller] += n
		}
		require.Equal(t, 1, by["hellojob-0"])
		require.Equal(t, 1, by["hellojob-1"])
		for _, name := range []string{"mallory", "moritz", "nobodys"} {
			require.InDelta(t, 10, by[name], 1, name)
		}
	})
}

// A call that several callers wait for comes when the first of them has a turn, stays when one of them leaves, and goes with the last.
func TestSharedCalls(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		leave []string
		want  string // of the issues, in order
	}{
		"all wait":          {nil, "first shared m-0 m-1"},
		"the noisy leaves":  {[]string{"mallory"}, "first shared m-0 m-1"},
		"the quiet leaves":  {[]string{"alice"}, "first m-0 m-1 shared"},
		"the quiet returns": {[]string{"alice", "+alice"}, "first m-0 shared m-1"},
		"both leave":        {[]string{"alice", "mallory"}, "first m-0 m-1"},
		"both leave again":  {[]string{"mallory", "alice"}, "first m-0 m-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var order []string // one at a time
				u := &upstream{latency: time.Second, hook: func(_ context.Context, r provider.Request, _ int) error {
					order = append(order, r.Project)
					return nil
				}}
				c := newCache(t, u, cache.Options{MaxInFlight: 1})
				var wg sync.WaitGroup
				waiting := map[string]context.CancelFunc{}
				begin := func(subject, project string) {
					ctx, cancel := context.WithCancel(decorator.OnBehalfOf(t.Context(), subject))
					waiting[subject] = cancel
					wg.Go(func() { _, _ = c.Credentials(ctx, push(project)) })
					synctest.Wait()
				}
				begin("somebody", "first")
				if test.want == "first m-0 shared m-1" { // so that the quiet one isn't first in the ring
					begin("mallory", "m-0")
				}
				begin("alice", "shared")
				begin("mallory", "m-0")
				begin("mallory", "m-1")
				begin("mallory", "shared")
				for _, who := range test.leave {
					if back, ok := strings.CutPrefix(who, "+"); ok {
						begin(back, "shared")
					} else {
						waiting[who]()
					}
					synctest.Wait()
				}
				wg.Wait()
				require.Equal(t, test.want, strings.Join(order, " "))
				require.Zero(t, c.Stats().Queued)
				for _, cancel := range waiting {
					cancel()
				}
			})
		})
	}
}

// Whoever leaves takes its work along, and nothing of it stays: neither a goroutine, which synctest would find, nor a turn.
func TestThirtyThousandLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{latency: time.Second}
		c := newCache(t, u, cache.Options{MaxInFlight: 1})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 30_000 {
			asking := decorator.OnBehalfOf(ctx, fmt.Sprint("caller-", i%1000))
			wg.Go(func() { _, _ = c.Credentials(asking, push(fmt.Sprintf("p-%d", i%20_000))) })
		}
		synctest.Wait()
		require.Equal(t, 19_999, c.Stats().Queued)
		cancel()
		wg.Wait()
		require.Zero(t, c.Stats().Queued)
		start := time.Now()
		ask(t, c, push("hello"))
		require.LessOrEqual(t, time.Since(start), 2*time.Second)
		total, _ := u.totals()
		require.Equal(t, 2, total)
	})
}

// Callers come before refreshes, yet a flood doesn't keep what is in use from being refreshed until everybody has to wait.
func TestRefreshesDuringAFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		c := newCache(t, u, cache.Options{MaxInFlight: 2})
		bob := decorator.OnBehalfOf(t.Context(), "bob")
		const projects = 50
		use := func() {
			for i := range projects {
				before := time.Now()
				_, err := c.Credentials(bob, push(fmt.Sprint("bob-", i)))
				require.NoError(t, err)
				require.Zero(t, time.Since(before))
			}
		}
		use()
		u.latency = time.Second
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		flood(ctx, c, "mallory", 300, &wg)
		for range 120 {
			use()
			time.Sleep(time.Minute)
		}
		cancel()
		wg.Wait()
	})
}

// What was throttled comes first among its own caller's, not before others.
func TestThrottledCallsDelayNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{latency: time.Second}
		u.hook = func(_ context.Context, r provider.Request, n int) error {
			if strings.HasPrefix(r.Project, "mallory") && n <= 3 {
				return &provider.Error{Kind: provider.ErrThrottled}
			}
			return nil
		}
		c := newCache(t, u, cache.Options{MaxInFlight: 4})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		flood(ctx, c, "mallory", 3000, &wg)
		start := time.Now()
		_, err := c.Credentials(decorator.OnBehalfOf(t.Context(), "alice"), push("alice"))
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(start), 3*time.Second+2*time.Second, "two issues, and the upstream's pauses")
		cancel()
		wg.Wait()
	})
}
