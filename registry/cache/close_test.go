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

type closer struct {
	*upstream
	closed int
}

func (c *closer) Close() error {
	c.closed++
	return nil
}

func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
		u := &closer{upstream: &upstream{latency: time.Hour}}
		var ended []error
		u.hook = func(context.Context, provider.Request, int) error { panic("the issue wasn't ended") }
		c := cache.New(u, cache.Options{MaxInFlight: 1, IssueTimeout: 24 * time.Hour})
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range 5 { // one runs, the others are queued
			wg.Go(func() {
				_, err := c.Credentials(t.Context(), numbered(i%3))
				mu.Lock()
				defer mu.Unlock()
				ended = append(ended, err)
			})
		}
		leaving, cancel := context.WithCancel(t.Context())
		wg.Go(func() { _, _ = c.Credentials(leaving, push("leaves")) })
		synctest.Wait()
		start := time.Now()
		require.NoError(t, provider.Close(c))
		cancel()
		wg.Wait()
		require.Zero(t, time.Since(start))
		require.Len(t, ended, 5)
		for _, err := range ended {
			require.ErrorIs(t, err, provider.ErrUnavailable)
			require.ErrorContains(t, err, "the cache is closed")
		}
		require.Equal(t, 1, u.closed)
		total, _ := u.totals()
		require.Equal(t, 1, total)

		require.NoError(t, c.Close())
		require.Equal(t, 1, u.closed, "by provider.Close, not by the cache")
		_, err := c.Credentials(t.Context(), push("hello"))
		require.ErrorIs(t, err, provider.ErrUnavailable)
		_, err = c.Credentials(t.Context(), provider.Request{})
		require.ErrorIs(t, err, provider.ErrInvalidRequest)
		c.Forget("hello")
		require.Zero(t, c.Stats().Entries+c.Stats().Queued+c.Stats().InFlight)
		_, err = c.Repository("hello", provider.Client)
		require.NoError(t, err)
	})
}

func TestCloseDropsWhatIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		running := false
		u := &upstream{hook: func(ctx context.Context, _ provider.Request, n int) error {
			if n == 2 {
				running = true
				<-ctx.Done()
				time.Sleep(time.Second)
				running = false
			}
			return nil
		}}
		c := cache.New(u, cache.Options{})
		ask(t, c, push("hello"))
		time.Sleep(30 * time.Minute)
		ask(t, c, push("hello"))
		synctest.Wait()
		require.True(t, running, "a refresh")
		require.NoError(t, c.Close())
		require.False(t, running)
		_, err := c.Credentials(t.Context(), push("hello"))
		require.ErrorIs(t, err, provider.ErrUnavailable)
		require.Zero(t, c.Stats().Entries)
	})
}
