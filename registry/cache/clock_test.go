package cache_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// What is kept ends when either clock says so: the monotonic one stands still while a machine is suspended, and the wall clock may be set.
func TestEndsByEitherClock(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		wall, mono       time.Duration
		kept, refreshing bool
	}{
		"both, before half":                  {29 * time.Minute, 29 * time.Minute, true, false},
		"both, after half":                   {31 * time.Minute, 31 * time.Minute, true, true},
		"both, before the end":               {44 * time.Minute, 44 * time.Minute, true, true},
		"both, after the end":                {46 * time.Minute, 46 * time.Minute, false, false},
		"suspended":                          {2 * time.Hour, time.Minute, false, false},
		"suspended for half":                 {31 * time.Minute, time.Minute, true, true},
		"set back, before half":              {-2 * time.Hour, 29 * time.Minute, true, false},
		"set back, after half":               {-2 * time.Hour, 31 * time.Minute, true, true},
		"set back, after the end":            {-2 * time.Hour, 46 * time.Minute, false, false},
		"set back to long ago":               {-15 * 365 * 24 * time.Hour, 46 * time.Minute, false, false},
		"set back at once":                   {-2 * time.Hour, 0, true, false},
		"slow, and by the other at the end":  {44 * time.Minute, 46 * time.Minute, false, false},
		"ahead, and by the other not at all": {30 * 365 * 24 * time.Hour, 0, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, r := newCache(t, &upstream{}, cache.Options{}), push("hello")
			ask(t, c, r)
			start := time.Now()
			got := c.Reuse(t.Context(), r, cache.Later(t, start, test.wall, test.mono))
			require.Equal(t, test.kept, got != nil)
			require.Equal(t, test.refreshing, c.Stats().Refreshes == 1)
		})
	}
}

// A refresh that failed is tried again after its backoff, not at once because one of the clocks is past half.
func TestBackoffOfRefreshAfterASuspension(t *testing.T) {
	t.Parallel()
	f := &failing{}
	u := &upstream{hook: f.hook}
	c, r := newCache(t, u, cache.Options{}), push("hello")
	ask(t, c, r)
	start := time.Now()
	f.set(provider.ErrUnavailable)
	for range 100 {
		require.NotNil(t, c.Reuse(t.Context(), r, cache.Later(t, start, 31*time.Minute, 0)))
	}
	require.EqualValues(t, 1, c.Stats().Refreshes)
}
