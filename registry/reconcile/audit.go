package reconcile

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// rolling is where a reconciler's audits are. They go round in an order of the reconciler's own that has nothing to do with
// names: what a run audits is a random sample, also of a list that lacks a stretch. What was audited longer ago is the
// likelier to be orphaned, if anything, so going on where the last run ended finds as many orphans as drawing anew does.
type rolling struct {
	mu   sync.Mutex
	seed maphash.Seed
	// last is the place of the project that was audited last, 0 before the first.
	last uint64
	// cost is how many calls an audit takes at most, as far as is known; measured reports whether one was made.
	cost     int
	measured bool
}

// minAuditCost is what an audit takes at least: whose it is, and what a listing doesn't show.
const minAuditCost = 2

// place is where in the round a project is.
func (r *rolling) place(name string) uint64 { return maphash.String(r.seed, name) }

// order is there in the order in which it is to be audited.
func (r *rolling) order(there []pair) (next func(i int) pair) {
	r.mu.Lock()
	defer r.mu.Unlock()
	type placed struct {
		place uint64
		i     int
	}
	round := make([]placed, len(there))
	for i, p := range there {
		round[i] = placed{r.place(p.project.Name), i}
	}
	slices.SortFunc(round, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
	begin, found := slices.BinarySearchFunc(round, r.last, func(p placed, last uint64) int { return cmp.Compare(p.place, last) })
	if found {
		begin++
	}
	return func(i int) pair { return there[round[(begin+i)%len(round)].i] }
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
func (r *rolling) spent(c repository.Change, err error) int {
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
	r.last = r.place(name)
}

// audit looks at what a listing doesn't show, of as many repositories as the budget allows, each at most once. They are the
// guard's sample; so without a budget, tags are read all the same where anything is to go.
func (n *run) audit(ctx context.Context, there []pair, goes bool) {
	left, tagsOnly := n.options.AuditBudget, n.options.AuditBudget < 0
	if tagsOnly && goes && n.options.MaxOrphanedPercent < 100 {
		left = defaultAuditBudget
	}
	if len(there) == 0 || left <= 0 {
		return
	}
	n.progress(PhaseAudit, 0, len(there))
	next := n.audits.order(there)
	var progress atomic.Int64
	for done := 0; done < len(there) && !n.over(ctx); {
		batch := n.audits.batch(left, min(n.options.Concurrency, len(there)-done))
		if batch == 0 {
			return
		}
		at := func(i int) pair { return next(done + i) }
		var spent atomic.Int64
		n.parallel(ctx, batch, func(i int) {
			listed := *at(i).repository
			listed.Drift = nil // that was mended just now
			change, err := n.keep(ctx, at(i).project, repository.EnsureOptions{Listed: &listed, ListedOnly: tagsOnly})
			n.saw(at(i).project, change, err, true)
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
