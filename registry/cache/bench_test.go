package cache_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// mutexMap is the least that a cache can be: what hits are compared with.
type mutexMap struct {
	mu   sync.Mutex
	kept map[provider.Request]provider.Credentials
}

func (m *mutexMap) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	m.mu.Lock()
	c, ok := m.kept[r]
	m.mu.Unlock()
	if !ok || !time.Now().Before(c.ExpiresAt) {
		return provider.Credentials{}, provider.ErrNotFound
	}
	return c, nil
}

// otterCache is otter/v2 with what it offers of the behavior that this package has: expiry and refresh by entry.
type otterCache struct {
	cache  *otter.Cache[provider.Request, provider.Credentials]
	loader otter.Loader[provider.Request, provider.Credentials]
}

func newOtter(p provider.Provider, limit int) *otterCache {
	type kept = otter.Entry[provider.Request, provider.Credentials]
	left := func(e kept, part time.Duration) time.Duration { return time.Until(e.Value.ExpiresAt) / part }
	return &otterCache{
		cache: otter.Must(&otter.Options[provider.Request, provider.Credentials]{
			MaximumSize:       limit,
			ExpiryCalculator:  otter.ExpiryWritingFunc(func(e kept) time.Duration { return left(e, 4) * 3 }),
			RefreshCalculator: otter.RefreshWritingFunc(func(e kept) time.Duration { return left(e, 2) }),
		}),
		loader: otter.LoaderFunc[provider.Request, provider.Credentials](
			func(ctx context.Context, r provider.Request) (provider.Credentials, error) {
				return provider.Issue(ctx, p, r)
			},
		),
	}
}

func (o *otterCache) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	return o.cache.Get(ctx, r, o.loader)
}

// issuing asks as services do.
type issuing struct{ *cache.Cache }

func (i issuing) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	return provider.Issue(ctx, i.Cache, r)
}

type hitter interface {
	Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error)
}

// hitters are caches that keep a credential for each of the first n projects.
func hitters(b *testing.B, n int) map[string]hitter {
	b.Helper()
	p := &upstream{}
	m := &mutexMap{kept: map[provider.Request]provider.Credentials{}}
	c, o := newCache(b, p, cache.Options{}), newOtter(p, 100_000)
	b.Cleanup(func() { o.cache.StopAllGoroutines() })
	for i := range n {
		got, err := c.Credentials(b.Context(), numbered(i))
		require.NoError(b, err)
		m.kept[numbered(i)] = got
		_, err = o.Credentials(b.Context(), numbered(i))
		require.NoError(b, err)
	}
	return map[string]hitter{"cache": c, "issue": issuing{c}, "mutexmap": m, "otter": o}
}

// BenchmarkHit is a hit by one goroutine; BenchmarkHitParallel by GOMAXPROCS of them (-cpu 1,2), all on one key.
func BenchmarkHit(b *testing.B) {
	for name, h := range hitters(b, 1000) {
		b.Run(name, func(b *testing.B) {
			ctx, r := b.Context(), numbered(500)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Credentials(ctx, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHitParallel(b *testing.B) {
	for name, h := range hitters(b, 1000) {
		b.Run(name, func(b *testing.B) {
			ctx, r := b.Context(), numbered(500)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := h.Credentials(ctx, r); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkHitMany is a hit on one of 100,000 keys, in turn.
func BenchmarkHitMany(b *testing.B) {
	const n = 100_000
	requests := make([]provider.Request, n)
	for i := range requests {
		requests[i] = numbered(i)
	}
	for name, h := range hitters(b, n) {
		b.Run(name, func(b *testing.B) {
			ctx, i := b.Context(), 0
			b.ReportAllocs()
			for b.Loop() {
				_, _ = h.Credentials(ctx, requests[i%n])
				i += 7919
			}
		})
	}
}

// BenchmarkMiss is an issue by a provider that takes no time.
func BenchmarkMiss(b *testing.B) {
	c, r := newCache(b, &upstream{}, cache.Options{}), push("hello")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Credentials(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		c.Forget("hello")
	}
}

// BenchmarkMemory reports what an entry costs beside the credential, at 100,000 entries.
func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	for name, build := range map[string]func(provider.Provider) hitter{
		"cache":    func(p provider.Provider) hitter { return newCache(b, p, cache.Options{}) },
		"otter":    func(p provider.Provider) hitter { return newOtter(p, 2*n) },
		"mutexmap": func(provider.Provider) hitter { return &mutexMap{kept: map[provider.Request]provider.Credentials{}} },
	} {
		b.Run(name, func(b *testing.B) {
			var bytes int
			for b.Loop() {
				var h hitter
				bytes = perEntry(b, n, func(p provider.Provider, r provider.Request) {
					if h == nil {
						h = build(p)
					}
					if m, ok := h.(*mutexMap); ok {
						m.kept[r], _ = p.Credentials(b.Context(), r)
						return
					}
					_, err := h.Credentials(b.Context(), r)
					require.NoError(b, err)
				})
				runtime.KeepAlive(h)
				if o, ok := h.(*otterCache); ok {
					o.cache.StopAllGoroutines()
				}
			}
			b.ReportMetric(float64(bytes), "B/entry")
			b.ReportMetric(0, "ns/op")
		})
	}
}
