package repositories

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

const (
	opPurge  = "purge repository"
	opRemove = "remove repository"
	opLetGo  = "let go of repositories"
)

// Retention implements [repository.Manager].
func (m *Manager) Retention() (repository.Retention, error) {
	if m.setup.Installation == "" {
		return repository.Retention{}, &provider.Error{
			Kind: provider.ErrMisconfigured, Op: opLetGo, Err: errors.New("installation isn't configured"),
			Hint: "repositories are released, purged and reconciled only once installation names this installation in their tags, so that no other's are taken for ours",
		}
	}
	return repository.Retention{Remove: m.setup.AutoRemove, After: m.settings.RemoveAfter}, nil
}

// PurgeRepository implements [repository.Manager].
func (m *Manager) PurgeRepository(ctx context.Context, project string, olderThan time.Duration) (repository.Change, error) {
	o, err := m.beginNamed(provider.Project{Name: project})
	if err != nil {
		return repository.Change{}, err
	}
	retention, err := m.Retention()
	switch {
	case err != nil:
		return o.change, err
	case !retention.Remove:
		return o.change, o.fail(provider.ErrMisconfigured, opPurge, "set auto_remove: true, and give the controller role the right to delete", "auto_remove isn't configured")
	case olderThan < retention.After:
		return o.change, o.fail(provider.ErrInvalidRequest, opPurge, "", fmt.Sprintf("the age must be at least remove_after, %s", retention.After))
	}
	return o.change, o.remove(ctx, func() bool {
		owner := o.change.Owner
		return !owner.OrphanedAt.IsZero() && owner.ReadAt.Sub(owner.OrphanedAt) >= olderThan
	})
}

// remove deletes the repository if it is proven ours and released, and due says so, when its owner has been read. That is done
// right before each attempt, and the SDK makes none of its own: the controller's policy, which allows to delete orphans of this
// installation only, would refuse one that was restored meanwhile, but rights follow tags late.
func (o *operation) remove(ctx context.Context, due func() bool) error {
	for attempt := 0; ; attempt++ {
		if released, err := o.readReleased(ctx, opRemove); err != nil || !released || !due() {
			return gone(err)
		}
		err := o.explained(o.aws.Delete(ctx, opRemove))
		if err == nil {
			o.did(repository.ActionRemove)
			o.change.Owner = repository.Owner{}
			return nil
		}
		if !passes(err, attempt, o.unsettle) || !wait(ctx, settleDelays()[attempt]) {
			return gone(err)
		}
	}
}

// gone makes a success of ErrNotFound: there is nothing left to let go of.
func gone(err error) error {
	if errors.Is(err, provider.ErrNotFound) {
		return nil
	}
	return err
}
