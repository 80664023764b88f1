package reconcile_test

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// exactBound is the most orphans of n for which up to found of them in a random sample are likelier than one in 10⁹, in whole
// numbers.
func exactBound(n, sample, found int) int {
	choose := func(n, k int) *big.Int {
		if k < 0 || k > n {
			return new(big.Int)
		}
		return new(big.Int).Binomial(int64(n), int64(k))
	}
	all := choose(n, sample)
	most := found
	for orphans := found; orphans <= n-sample+found; orphans++ {
		few := new(big.Int)
		for i := range found + 1 {
			few.Add(few, new(big.Int).Mul(choose(orphans, i), choose(n-orphans, sample-i)))
		}
		if few.Mul(few, big.NewInt(1e9)).Cmp(all) <= 0 {
			break
		}
		most = orphans
	}
	return most
}

// What a sample leaves open is counted against the list, and what was read is counted as it is.
func TestWantedOrphaned(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, n := range []int{1, 2, 3, 10, 40, 120, 300} {
		for _, orphans := range []int{0, 1, 2, 5, 40, 90, 130, 170, n / 2, n - 1, n} {
			for _, sample := range []int{0, 1, 2, 9, 30, 100, 160, 220, 250, n - 1, n} {
				if orphans > n || sample > n || seen[fmt.Sprint(n, orphans, sample)] {
					continue
				}
				seen[fmt.Sprint(n, orphans, sample)] = true
				inBubble(t, func(t *testing.T) {
					repos, s := fleet(n)
					for i := range orphans {
						repos[fmt.Sprintf("w%d", i)] = with(orphan(fmt.Sprintf("w%d", i), 5*day), func(r *repo) { r.id = "" })
					}
					budget := max(1, 2*sample)
					report, _ := run(t, newFake(repos), s, reconcile.Options{Rate: -1, AuditBudget: budget})
					g := report.Guard
					require.Equal(t, n, g.Wanted)
					require.GreaterOrEqual(t, g.Read, sample) // one that isn't given back takes a call less
					require.LessOrEqual(t, g.Found, orphans)
					require.Equal(t, exactBound(n, g.Read, g.Found), g.WantedOrphaned, "%+v", g)
					require.GreaterOrEqual(t, g.WantedOrphaned, orphans)
				})
			}
		}
	}
	require.Greater(t, len(seen), 200)
}

// The bound in great installations: what an audit of the default's size leaves open.
func TestWantedOrphanedAtScale(t *testing.T) {
	t.Parallel()
	c := &crowd{fake: newFake(nil), n: 100_000}
	report, err := run(t, c, c, unlimited())
	require.NoError(t, err)
	require.Equal(t, 250, report.Guard.Read)
	require.Equal(t, 7945, report.Guard.WantedOrphaned)
	require.Equal(t, 20_000, report.Guard.Limit)
}
