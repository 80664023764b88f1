package cache_test

import (
	"testing"

	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// BenchmarkMiss is an issue by a provider that takes no time. Hits are measured in benchmarks, beside other caches.
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
