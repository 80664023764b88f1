package reconcile

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// rolling is where a reconciler's audits are.
type rolling struct {
	mu sync.Mutex
	// last is the project that was audited last, "" before the first.
	last string
	// cost is how many calls an audit takes at most, as far as is known; measured reports whether one was made.
	cost     int
	measured bool
}

// minAuditCost is what an audit takes at least: whose it is, and what a listing doesn't show.
const minAuditCost = 2

// begin is where in the sorted list the next audit is.
func (r *rolling) begin(there []pair) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == "" { // replicas, and a process that is restarted often, get round this way too
		return rand.IntN(len(there)) //nolint:gosec // not for secrets
	}
	i, found := slices.BinarySearchFunc(there, r.last, func(p pair, name string) int { return strings.Compare(p.project.Name, name) })
	if found {
		i++
	}
	return i % len(there)
}

// batch is how many audits may be made at once with what is left of the budget.
func (r *rolling) batch(left, most int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cost = max(r.cost, minAuditCost)
	if !r.measured {
		most = min(most, 1)
	}
	return min(left/r.cost, most)
}

// spent is what an audit takes from the budget: its reading. What mending takes isn't part of it.
func (r *rolling) spent(c provider.RepositoryChange, err error) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Changed() || err != nil {
		return min(c.Calls, r.cost)
	}
	r.cost, r.measured = max(r.cost, c.Calls), true
	return c.Calls
}

func (r *rolling) reached(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = name
}

// audit looks at what a listing doesn't show, of as many repositories as the budget allows, each at most once.
func (n *run) audit(ctx context.Context, there []pair) {
	left := n.options.AuditBudget
	if len(there) == 0 || left <= 0 {
		return
	}
	n.progress(PhaseAudit, 0, len(there))
	begin := n.audits.begin(there)
	var progress atomic.Int64
	for done := 0; done < len(there) && !n.over(ctx); {
		batch := n.audits.batch(left, min(n.options.Concurrency, len(there)-done))
		if batch == 0 {
			return
		}
		at := func(i int) pair { return there[(begin+done+i)%len(there)] }
		var spent atomic.Int64
		n.parallel(ctx, batch, func(i int) {
			listed := *at(i).repository
			listed.Drift = nil // that was mended just now
			change, err := n.keep(ctx, at(i).project, provider.EnsureOptions{Listed: &listed})
			spent.Add(int64(n.audits.spent(change, err)))
			if change.Calls > 0 {
				n.count(&n.report.Audited)
			}
			n.advance(PhaseAudit, &progress, len(there))
		})
		left -= int(spent.Load())
		if !n.over(ctx) {
			n.audits.reached(at(batch - 1).project.Name)
		}
		done += batch
	}
}
