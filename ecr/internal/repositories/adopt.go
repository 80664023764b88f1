package repositories

import (
	"context"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

const opAdopt = "adopt repository"

// AdoptRepository implements [repository.Manager].
func (m *Manager) AdoptRepository(ctx context.Context, project provider.Project, force bool) (repository.Change, error) {
	o, err := m.begin(project)
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
	add := m.setup.OwnerTags(project.Name, project.ID)
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
	o.change.Owner = Owner(m.setup, project.Name, tags)
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
	case installation != "" && installation != o.m.setup.Installation:
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
	found, err := o.m.setup.Strangers(text)
	if err != nil {
		return o.fail(provider.ErrConflict, opAdopt, remedy, scrub.Line(err.Error(), nil))
	}
	if len(found) > 0 {
		return o.fail(provider.ErrConflict, opAdopt, remedy, "the policy of repository "+o.change.Name+" lets in "+scrub.Line(strings.Join(found, ", "), nil))
	}
	return nil
}
