package reconcile_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// issuing is a fake that issues credentials too.
type issuing struct{ *fake }

func (i issuing) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	target, err := i.Repository(r.Project, r.Consumer)
	return provider.Credentials{Target: target, Access: r.Access, Method: provider.ClientLogin}, err
}

// What a run lets go of, the same process's cache doesn't keep.
func TestRunForgets(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		repos, s := fleet(10)
		c := cache.New(issuing{newFake(repos)}, cache.Options{})
		defer c.Close() //nolint:errcheck // returns nil
		names := slices.Sorted(maps.Keys(repos))
		use := func() {
			for _, project := range names {
				_, err := provider.Issue(t.Context(), c, provider.Request{Project: project, Access: provider.Push})
				require.NoError(t, err)
			}
			require.Equal(t, len(names), c.Stats().Entries)
		}
		use()
		_, err := run(t, c, s, unlimited())
		require.NoError(t, err)
		require.Equal(t, len(names), c.Stats().Entries, "nothing to do, nothing to forget")
		s.remove(names[0])
		for _, what := range []string{names[0] + ": release", names[0] + ": remove"} {
			report, err := run(t, c, s, unlimited())
			require.NoError(t, err)
			require.Equal(t, []string{what}, done(report))
			require.Equal(t, len(names)-1, c.Stats().Entries, what)
			time.Sleep(25 * time.Hour)
			use()
		}
	})
}
