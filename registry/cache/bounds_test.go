package cache_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
	"weak"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

func TestMaxEntries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		c := newCache(t, u, cache.Options{MaxEntries: 3})
		for i := range 3 {
			ask(t, c, numbered(i))
			time.Sleep(time.Minute)
		}
		time.Sleep(27 * time.Minute)
		ask(t, c, numbered(0)) // is in use, so it's refreshed
		synctest.Wait()
		require.Equal(t, 2, u.count(numbered(0)))
		ask(t, c, numbered(3)) // in place of 1, which nobody asked for lately
		require.Equal(t, 3, c.Stats().Entries)
		require.EqualValues(t, 1, c.Stats().Evictions)
		for i, want := range []int{2, 1, 1, 1} {
			if i != 1 {
				ask(t, c, numbered(i))
			}
			require.Equal(t, want, u.count(numbered(i)), i)
		}
		ask(t, c, numbered(1))
		require.Equal(t, 2, u.count(numbered(1)))
		for i := range 1000 {
			ask(t, c, numbered(i))
			require.LessOrEqual(t, c.Stats().Entries, 3)
		}
	})
}

// resource is a target whose end the test can see.
type resource struct{ authn.Resource }

func TestSecretsLeaveMemory(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*cache.Cache){
		"dropped":   func(*cache.Cache) { time.Sleep(46 * time.Minute) },
		"forgotten": func(c *cache.Cache) { c.Forget("hello") },
		"all":       func(c *cache.Cache) { c.ForgetAll() },
		"evicted":   func(c *cache.Cache) { _, _ = c.Credentials(context.Background(), push("other")) },
		"closed":    func(c *cache.Cache) { _ = c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var target weak.Pointer[resource]
				u := &upstream{change: func(r provider.Request, _ int, c provider.Credentials) provider.Credentials {
					if r.Project == "hello" {
						kept := &resource{c.Target}
						target, c.Target = weak.Make(kept), kept
					}
					return c
				}}
				c := newCache(t, u, cache.Options{MaxEntries: 1})
				ask(t, c, push("hello"))
				runtime.GC()
				require.NotNil(t, target.Value())
				end(c)
				synctest.Wait()
				runtime.GC()
				runtime.GC()
				require.Nil(t, target.Value())
				runtime.KeepAlive(c)
			})
		})
	}
}

func TestSweepIsComplete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, &upstream{}, cache.Options{})
		for i := range 2500 {
			ask(t, c, numbered(i))
		}
		require.Equal(t, 2500, c.Stats().Entries)
		time.Sleep(46 * time.Minute)
		synctest.Wait()
		require.Zero(t, c.Stats().Entries)
		require.Zero(t, c.Stats().EarliestExpiry)
	})
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// perEntry returns how much memory keep needs for each of n credentials, their own strings and all else that the
// provider allocated for them apart.
func perEntry(tb testing.TB, n int, keep func(provider.Provider, provider.Request)) int {
	tb.Helper()
	u := &upstream{}
	credentials := make(map[provider.Request]provider.Credentials, n)
	for i := range n {
		c, err := u.Credentials(tb.Context(), numbered(i))
		require.NoError(tb, err)
		credentials[numbered(i)] = c
	}
	p := fixed{u, credentials}
	before := heapInUse()
	for r := range credentials {
		keep(p, r)
	}
	used := int(heapInUse()-before) / n
	runtime.KeepAlive(p)
	return used
}

type fixed struct {
	*upstream
	credentials map[provider.Request]provider.Credentials
}

func (f fixed) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	return f.credentials[r], nil
}

// Not parallel: it measures the heap.
func TestMemoryPerEntry(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs memory too")
	}
	const n = 100_000
	var c *cache.Cache
	got := perEntry(t, n, func(p provider.Provider, r provider.Request) {
		if c == nil {
			c = newCache(t, p, cache.Options{})
		}
		_, err := c.Credentials(t.Context(), r)
		require.NoError(t, err)
	})
	require.Equal(t, n, c.Stats().Entries)
	// What a provider allocates for one, beside the strings: the target, the secret's closure, the details.
	own := 48 + 24 + 4*int(unsafe.Sizeof(slog.Attr{}))
	t.Logf("%d bytes per entry, and %d that the credential has itself", got, own)
	require.LessOrEqual(t, got+own, 512)
}

// Whoever asks for ever new credentials, under names of callers for example, doesn't push out those that others use.
func TestEvictionSparesWhatIsInUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		c := newCache(t, u, cache.Options{MaxEntries: 100})
		const used = 50
		for minute := range 180 {
			for i := range used {
				ask(t, c, numbered(i))
			}
			for i := range 10 {
				ask(t, c, provider.Request{Project: "busy", Access: provider.Push, Caller: fmt.Sprintf("job-%d-%d", minute, i)})
			}
			require.LessOrEqual(t, c.Stats().Entries, 100)
			time.Sleep(time.Minute)
		}
		// Entries move within the heap, so that now and then the search passes one again too soon; without it, it is 1,300.
		require.InDelta(t, used+180*10, c.Stats().Misses, 100, "those in use are only refreshed")
	})
}
