//go:build !race

package cache_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// Not parallel: it counts allocations.
func TestHitAllocatesNothing(t *testing.T) {
	c, r := newCache(t, &upstream{}, cache.Options{}), push("hello")
	ask(t, c, r)
	ctx := t.Context()
	for name, get := range map[string]func(context.Context, provider.Request) (provider.Credentials, error){
		"by itself": c.Credentials,
		"by Issue": func(ctx context.Context, r provider.Request) (provider.Credentials, error) {
			return provider.Issue(ctx, c, r)
		},
	} {
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			if _, err := get(ctx, r); err != nil {
				t.Error(err)
			}
		}), name)
	}
}
