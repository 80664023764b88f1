package reconcile

import (
	"context"
	"sync/atomic"

	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

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
