package ecr

import (
	"context"
	"iter"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// What package ecr/internal/repositories does.

// EnsureRepository implements [repository.Manager].
func (p *Provider) EnsureRepository(ctx context.Context, project provider.Project, opts repository.EnsureOptions) (repository.Change, error) {
	return p.repositories.EnsureRepository(ctx, project, opts)
}

// AdoptRepository implements [repository.Manager]. With the controller's policy, AWS allows it for repositories
// that have neither of the tags rise:managed and rise:installation; others an operator tags with rights of their own. What
// the repository is set to stays until the next EnsureRepository.
func (p *Provider) AdoptRepository(ctx context.Context, project provider.Project, force bool) (repository.Change, error) {
	return p.repositories.AdoptRepository(ctx, project, force)
}

// ReleaseRepository implements [repository.Manager].
func (p *Provider) ReleaseRepository(ctx context.Context, project provider.Project) (repository.Change, error) {
	return p.repositories.ReleaseRepository(ctx, project)
}

// RestoreRepository implements [repository.Manager].
func (p *Provider) RestoreRepository(ctx context.Context, project provider.Project) (repository.Change, error) {
	return p.repositories.RestoreRepository(ctx, project)
}

// SuspendRepository implements [repository.Manager]. AWS may take some seconds until a new tag counts.
func (p *Provider) SuspendRepository(ctx context.Context, project string, suspended bool) (repository.Change, error) {
	return p.repositories.SuspendRepository(ctx, project, suspended)
}

// PurgeRepository implements [repository.Manager].
func (p *Provider) PurgeRepository(ctx context.Context, project string, olderThan time.Duration) (repository.Change, error) {
	return p.repositories.PurgeRepository(ctx, project, olderThan)
}

// RepositoryOwner implements [repository.Manager].
func (p *Provider) RepositoryOwner(ctx context.Context, project string) (repository.Owner, error) {
	return p.repositories.RepositoryOwner(ctx, project)
}

// ListRepositories implements [repository.Manager]. ECR lists all of the registry's, others' too: they are left
// out, unless they have a project's name.
func (p *Provider) ListRepositories(ctx context.Context) iter.Seq2[repository.Repository, error] {
	return p.repositories.ListRepositories(ctx)
}

// Retention implements [repository.Manager].
func (p *Provider) Retention() (repository.Retention, error) { return p.repositories.Retention() }
