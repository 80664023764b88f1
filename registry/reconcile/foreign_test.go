package reconcile_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// The list of another installation, whose repositories are beside ours, is no majority of ours, whether all of it is read or a sample.
func TestListOfAnotherInstallation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ ours, others, kept int }{
		{2, 8, 0}, {5, 20, 0}, {20, 100, 0}, {200, 1000, 0}, {200, 1000, 100}, {1000, 4000, 600},
	} {
		for _, budget := range []int{0, -1} {
			for _, drift := range []bool{false, true} {
				inBubble(t, func(t *testing.T) {
					repos, s := fleet(tt.ours)
					for i := tt.kept; i < tt.ours; i++ {
						s.remove(fmt.Sprintf("w%d", i))
					}
					for i := range tt.others {
						name := fmt.Sprintf("o%d", i)
						repos[name] = with(old(name), func(r *repo) { r.another, r.drift = "it is another installation's", drift })
						s.set(name, "id-"+name)
					}
					f := newFake(repos)
					before := f.states()
					o := unlimited()
					o.AuditBudget = budget
					report, err := run(t, f, s, o)
					require.ErrorIs(t, err, provider.ErrConflict)
					require.LessOrEqual(t, report.Guard.Ours, tt.ours)
					require.Equal(t, tt.ours-tt.kept, report.Guard.ToRelease)
					require.Equal(t, before, f.states())
				})
			}
		}
	}
}
