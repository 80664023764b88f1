package reconcile_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Answers by a clock that is ahead of that of others make nothing old: nothing goes by them.
func TestAnswersOfSeveralClocks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ahead    time.Duration
		hit      func(c call) bool
		released int
	}{
		"tags, a day ahead":          {25 * time.Hour, func(c call) bool { return c.name == "read tags" }, 0},
		"some tags, a day ahead":     {25 * time.Hour, func(c call) bool { return c.project == "x1" || c.project == "x2" }, 0},
		"the listing, an hour ahead": {time.Hour, func(c call) bool { return c.name == "list" }, 0},
		"the listing, a day behind":  {-day, func(c call) bool { return c.name == "list" }, 0},
		"all of them, a day ahead":   {25 * time.Hour, func(call) bool { return true }, 2},
		"tags, a little ahead":       {29 * time.Minute, func(c call) bool { return c.name == "read tags" }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				repos, s := fleet(50)
				for i := range 9 { // with one more to go it is enough
					repos[fmt.Sprintf("x%d", i)] = orphan("x", time.Hour)
				}
				repos["old"], repos["young"] = old("old"), with(old("young"), func(r *repo) { r.createdAt = time.Now().Add(-time.Minute) })
				f := newFake(repos)
				f.intercept = func(_ context.Context, c call, do func() error) error {
					if tt.hit(c) {
						f.ahead = tt.ahead
					}
					defer func() { f.ahead = 0 }()
					return do()
				}
				o := unlimited()
				o.Concurrency = 1
				report, err := run(t, f, s, o)
				require.Equal(t, tt.released, report.Released)
				if tt.released > 0 {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, provider.ErrBadResponse)
				require.Equal(t, "the registry's clocks disagree", left(report)["old"])
			})
		})
	}
}
