package repositories

import (
	"context"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/hint"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// Owner reads from tags whose a repository of the name of project is.
func Owner(s policy.Setup, project string, tags map[string]string) repository.Owner {
	o := repository.Owner{
		ProjectID: tags[policy.TagProjectID],
		Orphaned:  tags[policy.TagOrphaned] == policy.TagTrue,
		Suspended: tags[policy.TagSuspended] == policy.TagTrue,
	}
	if o.Orphaned {
		if at, err := time.Parse(time.RFC3339, tags[policy.TagOrphanedAt]); err == nil {
			o.OrphanedAt = at
		}
	}
	installation, tagged := tags[policy.TagInstallation]
	switch {
	case tags[policy.TagManaged] != policy.TagTrue:
		o.Reason = "it isn't tagged " + policy.TagManaged + "=" + policy.TagTrue
	case tags[policy.TagProject] != project:
		o.Reason = "its tag " + policy.TagProject + " doesn't name the project"
	case s.Installation != "" && !tagged:
		o.Reason = "it has no tag " + policy.TagInstallation
	case installation != s.Installation:
		o.Reason = "its tag " + policy.TagInstallation + " names another installation"
	default:
		o.Ours = true
	}
	return o
}

// readTags reads whose the repository is. It is ErrNotFound when there is none.
func (o *operation) readTags(ctx context.Context) (map[string]string, error) {
	o.change.Owner = repository.Owner{}
	list, at, err := o.aws.Tags(ctx)
	if err != nil {
		return nil, o.explained(err)
	}
	tags := make(map[string]string, len(list))
	for _, t := range list {
		tags[t.Key] = t.Value
	}
	if len(tags) != len(list) {
		return nil, &provider.Error{Kind: provider.ErrBadResponse, Op: awsapi.OpTags, Project: o.project.Name, Err: awsapi.BadAnswer("a tag is in it twice")}
	}
	o.change.Owner = Owner(o.m.setup, o.project.Name, tags)
	o.change.Owner.ReadAt = at
	o.ahead = time.Until(o.change.Owner.ReadAt)
	if owner := o.change.Owner; !owner.OrphanedAt.IsZero() && !owner.ReadAt.IsZero() && owner.ReadAt.Sub(owner.OrphanedAt) < settling {
		o.unsettle = true
	}
	return tags, nil
}

// readOurs is readTags that fails with ErrNotOurs unless the repository is this installation's and the project's.
func (o *operation) readOurs(ctx context.Context, op string) (map[string]string, error) {
	tags, err := o.readTags(ctx)
	if err != nil {
		return nil, err
	}
	if owner := o.change.Owner; !owner.Ours {
		hint := "if it should be this project's, adopt it, with rights that allow to tag it"
		if name := tags[policy.TagInstallation]; name != "" && name != o.m.setup.Installation { // which can't be adopted
			hint = "if it is this installation's, configure installation as its tag " + policy.TagInstallation + " has it; else it is left to that one"
		}
		return nil, o.fail(provider.ErrNotOurs, op, hint,
			"repository "+o.change.Name+" isn't ours: "+owner.Reason)
	}
	return tags, nil
}

// another tells whether the repository is of a project with another id than the one that was given.
func (o *operation) another() bool {
	id := o.change.Owner.ProjectID
	return o.project.ID != "" && id != "" && id != o.project.ID
}

func (o *operation) notOurs(op string) error {
	return o.fail(provider.ErrNotOurs, op, "release it for the project that it was made for",
		"repository "+o.change.Name+" belongs to a project of the same name with another id")
}

// RepositoryOwner implements [repository.Manager].
func (m *Manager) RepositoryOwner(ctx context.Context, project string) (repository.Owner, error) {
	o, err := m.beginNamed(provider.Project{Name: project})
	if err != nil {
		return repository.Owner{}, err
	}
	_, err = o.readTags(ctx)
	return o.change.Owner, err
}

// readReleased reads the owner again, and reports whether the repository is proven this installation's and the project's, and was
// released. Nothing is deleted that it hasn't reported so, right before. It fails where the clocks leave doubt.
func (o *operation) readReleased(ctx context.Context, op string) (bool, error) {
	if _, err := o.readTags(ctx); err != nil {
		return false, err
	}
	if !o.change.Owner.Ours || !o.change.Owner.Orphaned {
		return false, nil
	}
	return true, o.checkClocks(op)
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
