package ecr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/hint"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

const (
	opRelease = "release repository"
	opRestore = "restore repository"
	opSuspend = "suspend repository"
	opPurge   = "purge repository"
	opAdopt   = "adopt repository"
	opRemove  = "remove repository"
	opLetGo   = "let go of repositories"
)

// Retention implements [repository.Manager].
func (p *Provider) Retention() (repository.Retention, error) {
	if p.config.Installation == "" {
		return repository.Retention{}, &provider.Error{
			Kind: provider.ErrMisconfigured, Op: opLetGo, Err: errors.New("installation isn't configured"),
			Hint: "repositories are released, purged and reconciled only once installation names this installation in their tags, so that no other's are taken for ours",
		}
	}
	return repository.Retention{Remove: p.config.AutoRemove, After: *p.config.RemoveAfter}, nil
}

// ReleaseRepository implements [repository.Manager].
func (p *Provider) ReleaseRepository(ctx context.Context, project provider.Project) (repository.Change, error) {
	o, err := p.begin(project)
	if err != nil {
		return repository.Change{}, err
	}
	retention, err := p.Retention()
	if err != nil {
		return o.change, err
	}
	return o.change, gone(o.release(ctx, retention))
}

// gone makes a success of ErrNotFound: there is nothing left to let go of.
func gone(err error) error {
	if errors.Is(err, provider.ErrNotFound) {
		return nil
	}
	return err
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
		return o.remove(ctx, func(now repository.Owner) bool { return now.Ours && now.Orphaned && !o.another() })
	}
	return nil
}

// checkClocks fails unless AWS's own time of the owner just read is known, and is this machine's too, within what AWS takes
// signatures for. Ages are by AWS's alone; where two clocks disagree, something is wrong with one of them, and images that are
// gone don't come back.
func (o *operation) checkClocks(op string) error {
	switch {
	case o.change.Owner.ReadAt.IsZero():
		return &provider.Error{Kind: provider.ErrBadResponse, Op: op, Project: o.project.Name, Err: awsapi.Undated}
	case o.ahead <= -failure.BadClock, o.ahead > failure.BadClock-time.Second: // AWS's date leaves out the second's fraction
		return o.fail(provider.ErrMisconfigured, op, "keep the clock with NTP: nothing is released or purged while it is five minutes off or more",
			hint.OffClock(o.ahead))
	}
	return nil
}

// remove deletes the repository if due says so of its owner. Whose it is, is read right before each attempt, and the SDK makes
// none of its own: the controller's policy, which allows to delete orphans of this installation only, would refuse one that
// was restored meanwhile, but rights follow tags late.
func (o *operation) remove(ctx context.Context, due func(repository.Owner) bool) error {
	for attempt := 0; ; attempt++ {
		if _, err := o.readTags(ctx); err != nil {
			return gone(err)
		}
		if owner := o.change.Owner; owner.Ours && owner.Orphaned {
			if err := o.checkClocks(opRemove); err != nil {
				return err
			}
		}
		if !due(o.change.Owner) {
			return nil
		}
		err := o.explained(o.aws.Delete(ctx, opRemove))
		if err == nil {
			o.did(repository.ActionRemove)
			o.change.Owner = repository.Owner{}
			return nil
		}
		if !o.passes(err, attempt) || !wait(ctx, settleDelays()[attempt]) {
			return gone(err)
		}
	}
}

// passes tells whether a removal that failed may succeed, or turn out to be needless, when it is tried again.
func (o *operation) passes(err error, attempt int) bool {
	switch provider.KindOf(err) {
	case provider.ErrAccessDenied:
		return attempt == 0 || o.unsettle && attempt < len(settleDelays())
	case provider.ErrThrottled, provider.ErrUnavailable, provider.ErrTimeout:
		return attempt < len(settleDelays())
	default:
		return false
	}
}

// PurgeRepository implements [repository.Manager].
func (p *Provider) PurgeRepository(ctx context.Context, project string, olderThan time.Duration) (repository.Change, error) {
	o, err := p.beginNamed(provider.Project{Name: project})
	if err != nil {
		return repository.Change{}, err
	}
	retention, err := p.Retention()
	switch {
	case err != nil:
		return o.change, err
	case !retention.Remove:
		return o.change, o.fail(provider.ErrMisconfigured, opPurge, "set auto_remove: true, and give the controller role the right to delete", "auto_remove isn't configured")
	case olderThan < retention.After:
		return o.change, o.fail(provider.ErrInvalidRequest, opPurge, "", fmt.Sprintf("the age must be at least remove_after, %s", retention.After))
	}
	return o.change, o.remove(ctx, func(owner repository.Owner) bool {
		return owner.Ours && owner.Orphaned && !owner.OrphanedAt.IsZero() && owner.ReadAt.Sub(owner.OrphanedAt) >= olderThan
	})
}

// RestoreRepository implements [repository.Manager].
func (p *Provider) RestoreRepository(ctx context.Context, project provider.Project) (repository.Change, error) {
	o, err := p.begin(project)
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

// SuspendRepository implements [repository.Manager]. AWS may take some seconds until a new tag counts.
func (p *Provider) SuspendRepository(ctx context.Context, project string, suspended bool) (repository.Change, error) {
	o, err := p.beginNamed(provider.Project{Name: project})
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

// AdoptRepository implements [repository.Manager]. With the controller's policy, AWS allows it for repositories
// that have neither of the tags rise:managed and rise:installation; others an operator tags with rights of their own. What
// the repository is set to stays until the next EnsureRepository.
func (p *Provider) AdoptRepository(ctx context.Context, project provider.Project, force bool) (repository.Change, error) {
	o, err := p.begin(project)
	if err != nil {
		return repository.Change{}, err
	}
	tags, err := o.readTags(ctx)
	if err != nil {
		return o.change, err
	}
	if err := o.adoptable(tags); err != nil {
		return o.change, err
	}
	if o.change.Owner.Ours && (project.ID == "" || o.change.Owner.ProjectID != "") {
		return o.change, nil
	}
	if !o.change.Owner.Ours && !force {
		if err := o.refuseStrangers(ctx); err != nil {
			return o.change, err
		}
	}
	add := p.setup.OwnerTags(project.Name, project.ID)
	if o.change.Owner.Ours { // the rest of its tags may not be set again
		add = map[string]string{policy.TagProjectID: project.ID}
	}
	if err := o.tag(ctx, opAdopt, add); err != nil {
		// What is adopted may not be adopted again: maybe this is the second time, as the first answer was lost.
		if _, again := o.readTags(ctx); again == nil && o.change.Owner.Ours && o.change.Owner.ProjectID == project.ID {
			o.did(repository.ActionAdopt)
			return o.change, nil
		}
		return o.change, err
	}
	o.did(repository.ActionAdopt)
	for key, value := range add {
		tags[key] = value
	}
	readAt := o.change.Owner.ReadAt
	o.change.Owner = p.config.owner(project.Name, tags)
	o.change.Owner.ReadAt = readAt
	// The rights to everything else follow these tags late: what comes next shouldn't be denied. This takes off what means
	// nothing on a repository that isn't orphaned.
	if err := o.untag(ctx, opAdopt, policy.TagOrphanedAt); err != nil {
		o.note("the repository is adopted, but the controller role can't tag it yet: " + err.Error())
	}
	return o.change, nil
}

// adoptable refuses what is somebody's.
func (o *operation) adoptable(tags map[string]string) error {
	refuse := func(what string) error {
		return o.fail(provider.ErrNotOurs, opAdopt, "only a repository that is nobody's is adopted", "repository "+o.change.Name+" "+what)
	}
	installation := tags[policy.TagInstallation]
	switch {
	case installation != "" && installation != o.p.config.Installation:
		return refuse("belongs to another installation")
	case tags[policy.TagProject] != "" && tags[policy.TagProject] != o.project.Name:
		return refuse("belongs to another project")
	case o.another():
		return refuse("belongs to a project of the same name with another id")
	case o.change.Owner.Orphaned:
		return o.fail(provider.ErrOrphaned, opAdopt, "restore it, or remove the tag with rights of your own, if its images are this project's",
			"repository "+o.change.Name+" was released by a former project")
	}
	return nil
}

// refuseStrangers fails when the repository's own policy lets in whom the push role's policy doesn't know of.
func (o *operation) refuseStrangers(ctx context.Context) error {
	text, exists, err := o.aws.Policy(ctx)
	if err != nil {
		return o.explained(err)
	}
	if !exists {
		return nil
	}
	const remedy = "remove the repository's policy, or adopt it by force if they may read or write the project's images"
	found, err := o.p.setup.Strangers(text)
	if err != nil {
		return o.fail(provider.ErrConflict, opAdopt, remedy, scrub.Line(err.Error(), nil))
	}
	if len(found) > 0 {
		return o.fail(provider.ErrConflict, opAdopt, remedy, "the policy of repository "+o.change.Name+" lets in "+scrub.Line(strings.Join(found, ", "), nil))
	}
	return nil
}

// RepositoryOwner implements [repository.Manager].
func (p *Provider) RepositoryOwner(ctx context.Context, project string) (repository.Owner, error) {
	o, err := p.beginNamed(provider.Project{Name: project})
	if err != nil {
		return repository.Owner{}, err
	}
	_, err = o.readTags(ctx)
	return o.change.Owner, err
}
