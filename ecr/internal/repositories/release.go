package repositories

import (
	"cmp"
	"context"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

const (
	opRelease = "release repository"
	opRestore = "restore repository"
	opSuspend = "suspend repository"
)

// ReleaseRepository implements [repository.Manager].
func (m *Manager) ReleaseRepository(ctx context.Context, project provider.Project) (repository.Change, error) {
	o, err := m.begin(project)
	if err != nil {
		return repository.Change{}, err
	}
	retention, err := m.Retention()
	if err != nil {
		return o.change, err
	}
	return o.change, gone(o.release(ctx, retention))
}

func (o *operation) release(ctx context.Context, retention repository.Retention) error {
	if _, err := o.readOurs(ctx, opRelease); err != nil {
		return err
	}
	if o.another() {
		return o.fail(provider.ErrNotOurs, opRelease, "the name belongs to another project by now: there is nothing of this one to release",
			"repository "+o.change.Name+" belongs to a project of the same name with another id")
	}
	if err := o.checkClocks(opRelease); err != nil {
		return err
	}
	owner := o.change.Owner
	now := owner.ReadAt
	if !owner.Orphaned || owner.OrphanedAt.IsZero() || owner.OrphanedAt.After(now.Add(settling)) {
		tags := map[string]string{policy.TagOrphaned: policy.TagTrue, policy.TagOrphanedAt: now.Format(time.RFC3339)}
		if !owner.Orphaned && owner.ProjectID == "" && o.project.ID != "" {
			tags[policy.TagProjectID] = o.project.ID
		}
		if err := o.tag(ctx, opRelease, tags); err != nil {
			return err
		}
		o.did(repository.ActionRelease)
		o.change.Owner.Orphaned, o.change.Owner.OrphanedAt = true, now
		o.change.Owner.ProjectID = cmp.Or(owner.ProjectID, tags[policy.TagProjectID])
	}
	if retention.Remove && retention.After == 0 {
		return o.remove(ctx, func() bool { return !o.another() })
	}
	return nil
}

// RestoreRepository implements [repository.Manager].
func (m *Manager) RestoreRepository(ctx context.Context, project provider.Project) (repository.Change, error) {
	o, err := m.begin(project)
	if err != nil {
		return repository.Change{}, err
	}
	if _, err := o.readOurs(ctx, opRestore); err != nil {
		return o.change, err
	}
	if o.another() {
		return o.change, o.fail(provider.ErrOrphaned, opRestore, "restore it with that id, or without one; for the name's owner of now, change its tag "+policy.TagProjectID+" with rights of your own first, if the images may be seen by it",
			"repository "+o.change.Name+" was made for a project with another id")
	}
	if o.project.ID != "" && o.change.Owner.ProjectID == "" { // first, so that what fails after it can be repeated
		if err := o.tag(ctx, opRestore, map[string]string{policy.TagProjectID: o.project.ID}); err != nil {
			return o.change, err
		}
		o.did(repository.ActionTag)
		o.change.Owner.ProjectID = o.project.ID
	}
	if !o.change.Owner.Orphaned {
		return o.change, nil
	}
	if err := o.untag(ctx, opRestore, policy.TagOrphaned, policy.TagOrphanedAt); err != nil {
		return o.change, err
	}
	o.did(repository.ActionRestore)
	o.change.Owner.Orphaned, o.change.Owner.OrphanedAt = false, time.Time{}
	return o.change, nil
}

// SuspendRepository implements [repository.Manager].
func (m *Manager) SuspendRepository(ctx context.Context, project string, suspended bool) (repository.Change, error) {
	o, err := m.beginNamed(provider.Project{Name: project})
	if err != nil {
		return repository.Change{}, err
	}
	tags, err := o.readOurs(ctx, opSuspend)
	if err != nil {
		return o.change, err
	}
	_, tagged := tags[policy.TagSuspended]
	switch {
	case suspended && !o.change.Owner.Suspended:
		err = o.tag(ctx, opSuspend, map[string]string{policy.TagSuspended: policy.TagTrue})
	case !suspended && tagged:
		err = o.untag(ctx, opSuspend, policy.TagSuspended)
	default:
		return o.change, nil
	}
	if err != nil {
		return o.change, err
	}
	if o.change.Owner.Suspended = suspended; suspended {
		o.did(repository.ActionSuspend)
	} else {
		o.did(repository.ActionUnsuspend)
	}
	return o.change, nil
}
