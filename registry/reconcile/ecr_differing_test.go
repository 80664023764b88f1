package reconcile_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// As TestDifferingLists, with ECR's own calls: five runs, each a new process with a list that lacks another part, and the same
// a day later.
func TestECRDifferingLists(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ projects, parts, budget, most int }{{50, 5, 0, 10}, {60, 20, 96, 12}} {
		inAccount(t, func(t *testing.T, a account) {
			name := func(i int) string { return fmt.Sprintf("p%04d", i) }
			for i := range tt.projects {
				a.seed(name(i), nil)
			}
			orphaned := func() (n int) {
				for _, r := range a.Repositories() {
					if r.Tags["rise:orphaned"] == "true" {
						n++
					}
				}
				return n
			}
			released, restored := 0, 0
			for range 2 {
				for part := range tt.parts {
					var list []provider.Project
					for i := range tt.projects {
						if i*tt.parts/tt.projects != part {
							list = append(list, provider.Project{Name: name(i), ID: "id-" + name(i)})
						}
					}
					r, err := reconcile.New(a.ecr, reconcile.WantedList(list), reconcile.Options{Rate: -1, AuditBudget: tt.budget})
					require.NoError(t, err)
					report, _ := r.Run(t.Context())
					require.Zero(t, report.Purged)
					require.LessOrEqual(t, orphaned(), tt.most)
					released, restored = released+report.Released, restored+report.Restored
				}
				time.Sleep(25 * time.Hour)
			}
			require.Len(t, a.Repositories(), tt.projects)
			require.NotZero(t, released)
			require.NotZero(t, restored)
		})
	}
}
