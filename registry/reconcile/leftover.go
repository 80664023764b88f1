package reconcile

import (
	"context"
	"errors"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// Why repositories are left alone.
const (
	reasonNotOurs = "it isn't ours: "
	reasonYoung   = "it is younger than an hour"
	reasonNoAge   = "nobody can tell how old it is"
	reasonRenamed = "its project is wanted by another name: "
	reasonOrphan  = "it is orphaned"
	reasonWanted  = "its project is wanted again"
	reasonGuard   = "the guard holds it back"
	reasonAtOnce  = "releasing it would remove it at once"
	reasonClocks  = "the registry's clocks disagree"
	reasonOpen    = "it may have been wanted since it was released"
)

// owners reads whose the repositories without a project are, and returns those to release. Those to purge it keeps.
func (n *run) owners(ctx context.Context, rest []*repository.Repository) (releases []leftOver) {
	n.each(ctx, PhaseOwners, len(rest), func(i int) {
		r := *rest[i]
		if n.turn(ctx) != nil {
			return
		}
		owner, err := n.manager.RepositoryOwner(ctx, r.Project)
		n.did(repository.Change{Calls: 1})
		switch {
		case errors.Is(err, provider.ErrNotFound):
			return
		case err != nil:
			n.fail(ctx, "read whose the repository is", r.Project, err)
			n.count(&n.report.Guard.Unread)
			return
		case !owner.Ours:
			n.leave(r.Project, reasonNotOurs+owner.Reason)
			return
		}
		n.clock(owner.ReadAt)
		if owner.Orphaned {
			n.memory.add(r.Project, owner.ReadAt)
		} else if n.memory.forget(r.Project) {
			n.memory.restored(n.time())
		}
		counts := owner.Orphaned && recent(owner)
		if counts {
			n.count(&n.report.Guard.Orphaned)
		}
		if settled(r) && (counts || !owner.Orphaned) { // years of orphans that are kept would allow to release all that is left
			n.count(&n.report.Guard.Ours)
		}
		renamed := n.ids()[owner.ProjectID]
		switch {
		case noAge(r):
			n.leave(r.Project, reasonNoAge)
		case young(r):
			n.leave(r.Project, reasonYoung)
		case renamed != "":
			n.leave(r.Project, reasonRenamed+renamed)
		case purgeable(n.retention, owner):
			n.memory.remains(r.Project) // as it turns out, if its answer was lost
			n.add(&n.purges, leftOver{r.Project, owner.ProjectID, r.Name})
		case owner.Orphaned:
			n.leave(r.Project, reasonOrphan)
		default:
			n.add(&releases, leftOver{r.Project, owner.ProjectID, r.Name})
		}
	})
	return releases
}

// letGo releases what is left over, unless the service wants it by now.
func (n *run) letGo(ctx context.Context, l leftOver) {
	// Whoever has the name now: credentials are given out by name, so the images may be its.
	if n.settle(ctx, provider.Project{Name: l.project, ID: l.id}, l.repository, func(provider.Project) bool { return true }) {
		n.leave(l.project, reasonWanted)
	}
}

// purge removes what was released long enough ago.
func (n *run) purge(ctx context.Context) {
	n.each(ctx, PhasePurge, len(n.purges), func(i int) {
		l := n.purges[i]
		if n.turn(ctx) != nil { // not between the service's last word and the removal
			return
		}
		now, wanted, err := n.askAgain(ctx, l.project)
		switch {
		case err != nil:
			n.fail(ctx, opAsk, l.project, err)
			return
		case n.over(ctx): // the lease was lost meanwhile
			return
		case wanted && (l.id == "" || now.ID == "" || now.ID == l.id):
			n.leave(l.project, reasonWanted)
			return
		case n.options.DryRun:
			n.did(repository.Change{Project: l.project, Name: l.repository, Actions: []repository.Action{repository.ActionRemove}})
			return
		}
		change, err := n.manager.PurgeRepository(ctx, l.project, purgeAge(n.retention))
		n.did(change)
		if err != nil || has(change, repository.ActionRemove) { // the answer may be lost
			n.memory.purged(l.project, n.time())
		}
		if err != nil {
			n.fail(ctx, "purge repository", l.project, err)
		}
	})
}
