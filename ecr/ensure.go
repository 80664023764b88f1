package ecr

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
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

const noScanning = "scan on push couldn't be set for the repository: AWS leaves it to the registry's scanning configuration"

// EnsureRepository implements [repository.Manager].
func (p *Provider) EnsureRepository(ctx context.Context, project provider.Project, opts repository.EnsureOptions) (repository.Change, error) {
	o, err := p.begin(project)
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
	return o.p.scansItself.Load() && len(drift) == 1 && drift[0] == repository.ActionScanOnPush
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
		drift = o.p.config.drift(*r, o.p.scansItself.Load())
		if o.p.config.encryptedOtherwise(*r) {
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
	for key, value := range o.p.config.Tags {
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

func (o *operation) notOurs(op string) error {
	return o.fail(provider.ErrNotOurs, op, "release it for the project that it was made for",
		"repository "+o.change.Name+" belongs to a project of the same name with another id")
}

// create is done unless there is a repository of that name by now.
func (o *operation) create(ctx context.Context, opts repository.EnsureOptions) (done bool, err error) {
	if opts.DryRun {
		o.did(repository.ActionCreate)
		return true, nil
	}
	c := o.p.config
	input := ecr.CreateRepositoryInput{
		ImageTagMutability: types.ImageTagMutability(c.ImageTagMutability), ImageTagMutabilityExclusionFilters: c.exclusionFilters(),
		EncryptionConfiguration: c.encryption(), ImageScanningConfiguration: c.scanning(),
	}
	tags := o.p.setup.OwnerTags(o.project.Name, o.project.ID)
	if o.p.scansItself.Load() {
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
	o.change.Owner = c.owner(o.project.Name, tags)
	if *c.ScanOnPush && (made.ImageScanningConfiguration == nil || !made.ImageScanningConfiguration.ScanOnPush) {
		o.p.scansItself.Store(true)
		o.note(noScanning)
	}
	lifecycle, err := c.lifecyclePolicy()
	if err == nil && lifecycle != "" {
		err = o.putLifecycle(ctx, lifecycle)
	}
	if errors.Is(err, provider.ErrNotFound) {
		return false, nil
	}
	return true, err
}

// refused tells whether AWS understood a call and doesn't take its parameters, rights apart.
func refused(err error) bool {
	switch failure.CodeOf(err) {
	case "ValidationException", "InvalidParameterException", "UnsupportedOperationException":
		return true
	}
	return false
}

// mend sets what isn't as configured, one call each.
func (o *operation) mend(ctx context.Context, drift []repository.Action, opts repository.EnsureOptions) error {
	var errs []error
	for _, d := range drift {
		if opts.DryRun {
			o.did(d)
			continue
		}
		switch d {
		case repository.ActionScanOnPush:
			errs = append(errs, o.putScanning(ctx))
		case repository.ActionTagMutability:
			errs = append(errs, o.putMutability(ctx))
		}
	}
	if !opts.ListedOnly {
		errs = append(errs, o.mendLifecycle(ctx, opts.DryRun))
	}
	return errors.Join(errs...)
}

func (o *operation) putScanning(ctx context.Context) error {
	if o.p.scansItself.Load() {
		return nil
	}
	err := o.write(ctx, awsapi.OpScanning, func(ctx context.Context) error { return o.aws.PutScanning(ctx, o.p.config.scanning()) })
	if err == nil {
		o.did(repository.ActionScanOnPush)
		// A registry that scans by itself may take it and show false all the same: never again then.
		r, err := o.describe(ctx)
		if err != nil || r == nil || len(o.p.config.drift(*r, false)) == 0 || o.p.config.drift(*r, false)[0] != repository.ActionScanOnPush {
			return err
		}
	} else if !refused(err) {
		return err
	}
	o.p.scansItself.Store(true)
	o.note(noScanning)
	return nil
}

func (o *operation) putMutability(ctx context.Context) error {
	err := o.write(ctx, awsapi.OpMutability, func(ctx context.Context) error {
		return o.aws.PutMutability(ctx, types.ImageTagMutability(o.p.config.ImageTagMutability), o.p.config.exclusionFilters())
	})
	if err == nil {
		o.did(repository.ActionTagMutability)
	}
	return err
}

func (o *operation) mendLifecycle(ctx context.Context, dryRun bool) error {
	want, err := o.p.config.lifecyclePolicy()
	if err != nil {
		return err
	}
	have, err := o.aws.LifecyclePolicy(ctx)
	switch {
	case err != nil:
		return o.explained(err)
	case sameJSON(have, want):
		return nil
	case dryRun:
		o.did(repository.ActionLifecycle)
		return nil
	case want == "":
		return o.deleteLifecycle(ctx)
	}
	return o.putLifecycle(ctx, want)
}

func (o *operation) putLifecycle(ctx context.Context, lifecycle string) error {
	err := o.write(ctx, awsapi.OpPutLifecycle, func(ctx context.Context) error { return o.aws.PutLifecycle(ctx, lifecycle) })
	if err == nil {
		o.did(repository.ActionLifecycle)
	}
	return err
}

func (o *operation) deleteLifecycle(ctx context.Context) error {
	err := o.write(ctx, awsapi.OpDeleteLifecycle, o.aws.DeleteLifecycle)
	if err == nil {
		o.did(repository.ActionLifecycle)
	}
	return err
}
