package reconcile

import (
	"context"
	"errors"
	"slices"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// keep makes or mends a wanted project's repository.
func (n *run) keep(ctx context.Context, p provider.Project, o repository.EnsureOptions) (repository.Change, error) {
	change, err := n.ensure(ctx, p, o)
	if err != nil && o.Listed != nil {
		n.formerOwner(p, *o.Listed, change.Owner, err)
	}
	// Without an id nobody could tell this repository from one that was made for the name's next project.
	if p.ID != "" && !n.options.DryRun && (has(change, repository.ActionCreate) || has(change, repository.ActionRestore)) {
		n.confirm(ctx, regret{p, change.Name, o.Listed == nil})
	}
	return change, err
}

// confirm asks whether the project that a repository was made or restored for is still there. If not, the repository is
// released with the others, by the guard's leave.
func (n *run) confirm(ctx context.Context, r regret) {
	now, wanted, err := n.askAgain(ctx, r.project.Name)
	switch {
	case err != nil:
		n.fail(ctx, opAsk, r.project.Name, err)
	case !wanted || now.ID != r.project.ID:
		n.mu.Lock()
		defer n.mu.Unlock()
		n.regrets = append(n.regrets, r)
	}
}

// takeBack releases what was made or restored for a project that is gone.
func (n *run) takeBack(ctx context.Context, r regret) {
	n.settle(ctx, r.project, r.name, func(now provider.Project) bool { return now.ID == r.project.ID })
}

// formerOwner sees to it that a former project's repository is purged in time when another project has its name: nobody
// else would, as the name is wanted.
func (n *run) formerOwner(p provider.Project, r repository.Repository, o repository.Owner, err error) {
	if errors.Is(err, provider.ErrOrphaned) && former(p, o) && purgeable(n.retention, o) && !young(r) && n.ids()[o.ProjectID] == "" {
		n.memory.remains(r.Project)
		n.mu.Lock()
		defer n.mu.Unlock()
		if l := (leftOver{r.Project, o.ProjectID, r.Name}); !slices.Contains(n.purges, l) { // mended, and audited
			n.purges = append(n.purges, l)
		}
	}
}

// settleAttempts is how often the service may change its mind about a project during one operation.
const settleAttempts = 3

// settle makes the repository of p, which isn't orphaned, agree with what the service wants now, until asking again
// confirms it: a project may go, or come back, between the question and what follows from it. counts tells whether the
// project that has the name now gives a reason to keep the repository. It reports whether it was kept.
func (n *run) settle(ctx context.Context, p provider.Project, path string, counts func(now provider.Project) bool) (kept bool) {
	active := true
	for range settleAttempts {
		now, wanted, err := n.askAgain(ctx, p.Name)
		wanted = wanted && counts(now)
		switch {
		case err != nil:
			n.fail(ctx, opAsk, p.Name, err)
			return false
		case wanted == active:
			return active
		case wanted:
			_, err = n.ensure(ctx, now, repository.EnsureOptions{})
		case n.options.DryRun:
			n.did(repository.Change{Project: p.Name, Name: path, Actions: []repository.Action{repository.ActionRelease}})
			return false
		default:
			err = n.release(ctx, p)
		}
		if err != nil {
			return false
		}
		active = wanted
	}
	n.fail(ctx, opRun, p.Name, &provider.Error{Kind: provider.ErrConflict, Op: opRun, Project: p.Name, Err: errors.New("the project comes and goes")})
	return false
}

// ensure and the other operations below wait for their turn, and record what was done and what failed.
func (n *run) ensure(ctx context.Context, p provider.Project, o repository.EnsureOptions) (repository.Change, error) {
	if err := n.turn(ctx); err != nil {
		return repository.Change{}, err
	}
	o.DryRun = n.options.DryRun
	change, err := n.manager.EnsureRepository(ctx, p, o)
	n.did(change)
	switch {
	case err == nil && !o.DryRun:
		n.memory.forget(p.Name)
	case change.Owner.Ours && change.Owner.Orphaned:
		n.memory.add(p.Name, n.time())
	}
	if err != nil {
		n.fail(ctx, "ensure repository", p.Name, err)
	}
	return change, err
}

func (n *run) release(ctx context.Context, p provider.Project) error {
	if err := n.turn(ctx); err != nil {
		return err
	}
	n.memory.add(p.Name, n.time()) // its answer may be lost
	change, err := n.manager.ReleaseRepository(ctx, p)
	n.did(change)
	if err != nil {
		n.fail(ctx, "release repository", p.Name, err)
	}
	return err
}
