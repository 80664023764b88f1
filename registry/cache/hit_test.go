//go:build !race

package cache_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// Not parallel: it counts allocations.
func TestHitAllocatesNothing(t *testing.T) {
	c, r := newCache(t, &upstream{}, cache.Options{}), push("hello")
	ask(t, c, r)
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if _, err := c.Credentials(ctx, r); err != nil {
			t.Error(err)
		}
	}))
}
