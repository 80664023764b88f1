package cache

import (
	"context"
	"slices"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// repositories stands before the wrapped provider, for those who look for what manages repositories. It forgets a project whose
// repository changes in a way that matters to credentials. Before the change: what is kept is useless in a moment. And after it,
// when an issue that ran meanwhile may have been kept.
type repositories struct {
	provider.Provider
	repository.Manager
	forgets func(project string) // the cache's Forget
}

func (r *repositories) Unwrap() provider.Provider { return r.Provider }

func (r *repositories) forget(project string) {
	if project != "" { // which is an invalid name here, and all projects there
		r.forgets(project)
	}
}

func (r *repositories) AdoptRepository(ctx context.Context, p provider.Project, force bool) (repository.Change, error) {
	r.forget(p.Name)
	defer r.forget(p.Name)
	return r.Manager.AdoptRepository(ctx, p, force)
}

func (r *repositories) ReleaseRepository(ctx context.Context, p provider.Project) (repository.Change, error) {
	r.forget(p.Name)
	defer r.forget(p.Name)
	return r.Manager.ReleaseRepository(ctx, p)
}

func (r *repositories) RestoreRepository(ctx context.Context, p provider.Project) (repository.Change, error) {
	r.forget(p.Name)
	defer r.forget(p.Name)
	return r.Manager.RestoreRepository(ctx, p)
}

func (r *repositories) SuspendRepository(ctx context.Context, project string, suspended bool) (repository.Change, error) {
	r.forget(project)
	defer r.forget(project)
	return r.Manager.SuspendRepository(ctx, project, suspended)
}

func (r *repositories) PurgeRepository(ctx context.Context, project string, olderThan time.Duration) (repository.Change, error) {
	r.forget(project)
	defer r.forget(project)
	return r.Manager.PurgeRepository(ctx, project, olderThan)
}

// EnsureRepository is called for every project now and then, and mostly finds nothing to do. Then it forgets nothing.
func (r *repositories) EnsureRepository(ctx context.Context, p provider.Project, o repository.EnsureOptions) (repository.Change, error) {
	change, err := r.Manager.EnsureRepository(ctx, p, o)
	if !o.DryRun && (isnt(err) || slices.ContainsFunc(change.Actions, matters)) {
		r.forget(p.Name)
	}
	return change, err
}

// isnt reports whether err says that there is no repository of the project. What else fails (a setting that we may not change, say)
// is no reason to issue everybody's credentials anew.
func isnt(err error) bool {
	switch provider.KindOf(err) {
	case provider.ErrNotFound, provider.ErrNotOurs, provider.ErrOrphaned, provider.ErrConflict:
		return true
	default:
		return false
	}
}

// matters reports whether an action does more than to change settings.
func matters(a repository.Action) bool {
	switch a {
	case repository.ActionTag, repository.ActionTagMutability, repository.ActionScanOnPush, repository.ActionLifecycle:
		return false
	default:
		return true
	}
}
