package repositories

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

const (
	opEnsure = "ensure repository"
	opCreate = "create repository"
)

// Two replicas may make and remove one repository in turns; that often, an operation starts over.
const ensureAttempts = 3

// EnsureRepository implements [repository.Manager].
func (m *Manager) EnsureRepository(ctx context.Context, project provider.Project, opts repository.EnsureOptions) (repository.Change, error) {
	o, err := m.begin(project)
	if err != nil {
		return repository.Change{}, err
	}
	if opts.Listed != nil && opts.Listed.Name != o.change.Name {
		return o.change, o.fail(provider.ErrInvalidRequest, opEnsure, "", "the listed repository isn't the project's")
	}
	if opts.Listed != nil && opts.ListedOnly && o.needless(opts.Listed.Drift) {
		return o.change, nil
	}
	for range ensureAttempts {
		var done bool
		if done, err = o.ensure(ctx, opts); done || err != nil {
			return o.change, err
		}
		opts.Listed = nil
	}
	return o.change, o.fail(provider.ErrConflict, opEnsure, "somebody else makes and removes it; try again", "repository "+o.change.Name+" came and went")
}

// needless tells whether drift is only what the registry turned out to decide on since it was listed: then each of its
// repositories has it.
func (o *operation) needless(drift []repository.Action) bool {
	return o.m.scansItself.Load() && len(drift) == 1 && drift[0] == repository.ActionScanOnPush
}

// ensure is one attempt. It isn't done when the repository came or went meanwhile.
func (o *operation) ensure(ctx context.Context, opts repository.EnsureOptions) (done bool, err error) {
	var drift []repository.Action
	if opts.Listed != nil {
		drift = opts.Listed.Drift
		o.unsettle = !opts.Listed.ReadAt.IsZero() && opts.Listed.ReadAt.Sub(opts.Listed.CreatedAt) < settling
	} else {
		r, err := o.describe(ctx)
		if err != nil {
			return false, err
		}
		if r == nil {
			return o.create(ctx, opts)
		}
		drift = o.m.settings.drift(*r, o.m.scansItself.Load())
		if encryptedOtherwise(*r, o.m.setup.KMSKeyARN) {
			o.note("the repository's encryption isn't as configured, and can't be changed once it is made")
		}
	}
	tags, err := o.readOurs(ctx, opEnsure)
	switch {
	case errors.Is(err, provider.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	if err = o.claim(ctx, tags, opts); err == nil {
		err = o.mend(ctx, drift, opts)
	}
	if errors.Is(err, provider.ErrNotFound) {
		return false, nil
	}
	return true, err
}

// claim sees to it that the repository is project's, and its tags as configured.
func (o *operation) claim(ctx context.Context, tags map[string]string, opts repository.EnsureOptions) error {
	owner := o.change.Owner
	switch {
	case owner.Orphaned && (o.project.ID == "" || owner.ProjectID != o.project.ID):
		return o.fail(provider.ErrOrphaned, opEnsure,
			"it keeps a former project's images, which a new owner of the name must not see: restore it if the project is the same, or let it be purged",
			"repository "+o.change.Name+" was released, by a project that isn't known to be this one")
	case o.another():
		return o.notOurs(opEnsure)
	case owner.Orphaned:
		if !opts.DryRun {
			if err := o.untag(ctx, "restore repository", policy.TagOrphaned, policy.TagOrphanedAt); err != nil {
				return err
			}
			o.change.Owner.Orphaned, o.change.Owner.OrphanedAt = false, time.Time{}
		}
		o.did(repository.ActionRestore)
	}
	missing := map[string]string{}
	for key, value := range o.m.setup.Tags {
		if have, ok := tags[key]; !ok || have != value {
			missing[key] = value
		}
	}
	if o.project.ID != "" && owner.ProjectID == "" {
		missing[policy.TagProjectID] = o.project.ID
	}
	if len(missing) == 0 {
		return nil
	}
	if !opts.DryRun {
		err := o.tag(ctx, "tag repository", missing)
		if err != nil && (missing[policy.TagProjectID] == "" || !errors.Is(err, provider.ErrAccessDenied)) {
			return err
		}
		if missing[policy.TagProjectID] != "" { // maybe another project's at the same time, which denies ours
			if _, err := o.readOurs(ctx, opEnsure); err != nil {
				return err
			}
			if o.another() {
				return o.notOurs(opEnsure)
			}
		}
		if err != nil {
			return err
		}
	}
	o.did(repository.ActionTag)
	return nil
}

// create is done unless there is a repository of that name by now.
func (o *operation) create(ctx context.Context, opts repository.EnsureOptions) (done bool, err error) {
	if opts.DryRun {
		o.did(repository.ActionCreate)
		return true, nil
	}
	s := o.m.settings
	input := ecr.CreateRepositoryInput{
		ImageTagMutability: s.Mutability, ImageTagMutabilityExclusionFilters: s.exclusionFilters(),
		EncryptionConfiguration: encryption(o.m.setup.KMSKeyARN), ImageScanningConfiguration: s.scanning(),
	}
	tags := o.m.setup.OwnerTags(o.project.Name, o.project.ID)
	if o.m.scansItself.Load() {
		input.ImageScanningConfiguration = nil
	}
	made, err := o.aws.Create(ctx, input, tags)
	if input.ImageScanningConfiguration != nil && refused(err) { // for the scanning, if it works without
		input.ImageScanningConfiguration = nil
		made, err = o.aws.Create(ctx, input, tags)
	}
	if failure.CodeOf(err) == "RepositoryAlreadyExistsException" {
		return false, nil
	}
	if err != nil {
		return false, o.explained(err)
	}
	o.did(repository.ActionCreate)
	o.unsettle = true
	o.change.Owner = Owner(o.m.setup, o.project.Name, tags)
	if s.ScanOnPush && (made.ImageScanningConfiguration == nil || !made.ImageScanningConfiguration.ScanOnPush) {
		o.m.scansItself.Store(true)
		o.note(noScanning)
	}
	lifecycle, err := s.lifecyclePolicy()
	if err == nil && lifecycle != "" {
		err = o.putLifecycle(ctx, lifecycle)
	}
	if errors.Is(err, provider.ErrNotFound) {
		return false, nil
	}
	return true, err
}
