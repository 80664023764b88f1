package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/maypok86/otter/v2"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// instant is a provider that takes no time.
type instant struct{}

func (instant) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	return name.NewRepository(consumer.String() + ".example.com/rise/" + project)
}

func (p instant) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	repository, err := p.Repository(r.Project, r.Consumer)
	return provider.Credentials{
		Target: repository, Access: r.Access, Method: provider.LoginCredentials, Username: "AWS",
		Password: provider.NewSecret(r.Project + "/1"), ExpiresAt: time.Now().Add(time.Hour),
		Details: []slog.Attr{
			slog.String("session", "rise-push-"+r.Project), slog.String("sts", "1"), slog.String("ecr", "2"),
		},
	}, err
}

// ready is a provider whose credentials are made already.
type ready struct {
	instant
	credentials map[provider.Request]provider.Credentials
}

func (p ready) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	return p.credentials[r], nil
}

func numbered(i int) provider.Request {
	return provider.Request{Project: fmt.Sprintf("project-%d", i), Access: provider.Push}
}

// hitter is a cache around a provider.
type hitter interface {
	Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error)
}

func newCache(b *testing.B, p provider.Provider) *cache.Cache {
	b.Helper()
	c := cache.New(p, cache.Options{})
	b.Cleanup(func() { require.NoError(b, c.Close()) })
	return c
}

// issuing asks as services do.
type issuing struct{ *cache.Cache }

func (i issuing) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	return provider.Issue(ctx, i.Cache, r)
}

// filled is a mutexMap that a miss fills.
type filled struct {
	*mutexMap
	from provider.Provider
}

func newFilled(p provider.Provider) filled {
	return filled{&mutexMap{kept: map[provider.Request]provider.Credentials{}}, p}
}

func (f filled) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	c, err := f.credentials(r)
	if err != nil {
		c, err = f.from.Credentials(ctx, r)
		f.kept[r] = c
	}
	return c, err
}

// otterCache is otter/v2 with what it offers of the behavior that registry/cache has: expiry and refresh by entry.
type otterCache struct {
	cache  *otter.Cache[provider.Request, provider.Credentials]
	loader otter.Loader[provider.Request, provider.Credentials]
}

func newOtter(b *testing.B, p provider.Provider) *otterCache {
	b.Helper()
	type kept = otter.Entry[provider.Request, provider.Credentials]
	left := func(e kept, part time.Duration) time.Duration { return time.Until(e.Value.ExpiresAt) / part }
	o := &otterCache{
		cache: otter.Must(&otter.Options[provider.Request, provider.Credentials]{
			MaximumSize:       200_000,
			ExpiryCalculator:  otter.ExpiryWritingFunc(func(e kept) time.Duration { return left(e, 4) * 3 }),
			RefreshCalculator: otter.RefreshWritingFunc(func(e kept) time.Duration { return left(e, 2) }),
		}),
		loader: otter.LoaderFunc[provider.Request, provider.Credentials](
			func(ctx context.Context, r provider.Request) (provider.Credentials, error) {
				return provider.Issue(ctx, p, r)
			},
		),
	}
	b.Cleanup(func() { o.cache.StopAllGoroutines() })
	return o
}

func (o *otterCache) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	return o.cache.Get(ctx, r, o.loader)
}

// hitters are caches that keep a credential for each of the first n projects.
func hitters(b *testing.B, n int) map[string]hitter {
	b.Helper()
	c := newCache(b, instant{})
	all := map[string]hitter{"cache": c, "issue": issuing{c}, "mutexmap": newFilled(instant{}), "otter": newOtter(b, instant{})}
	for _, h := range all {
		for i := range n {
			_, err := h.Credentials(b.Context(), numbered(i))
			require.NoError(b, err)
		}
	}
	return all
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

// BenchmarkMemory reports what an entry costs beside the credential, at 100,000 entries.
func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	p := ready{credentials: make(map[provider.Request]provider.Credentials, n)}
	for i := range n {
		c, err := instant{}.Credentials(b.Context(), numbered(i))
		require.NoError(b, err)
		p.credentials[numbered(i)] = c
	}
	for name, build := range map[string]func(*testing.B) hitter{
		"cache":    func(b *testing.B) hitter { b.Helper(); return newCache(b, p) },
		"otter":    func(b *testing.B) hitter { b.Helper(); return newOtter(b, p) },
		"mutexmap": func(*testing.B) hitter { return newFilled(p) },
	} {
		b.Run(name, func(b *testing.B) {
			var bytes int
			for b.Loop() {
				before := heapInUse()
				h := build(b)
				for r := range p.credentials {
					_, err := h.Credentials(b.Context(), r)
					require.NoError(b, err)
				}
				bytes = int(heapInUse()-before) / n
				runtime.KeepAlive(h)
			}
			b.ReportMetric(float64(bytes), "B/entry")
			b.ReportMetric(0, "ns/op")
		})
	}
	runtime.KeepAlive(p)
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
