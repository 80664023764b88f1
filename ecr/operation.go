package ecr

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/hint"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// Rights that depend on a repository's tags follow them with a delay (IAM User Guide, "Changes that I make are not always
// immediately visible"). What is denied within settling after a change is tried again for a while.
const settling = 5 * time.Minute

func settleDelays() []time.Duration {
	return []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}
}

// operation is one of repository.Manager's methods at work on one repository.
type operation struct {
	p        *Provider
	aws      *awsapi.Repository
	project  provider.Project
	change   repository.Change
	unsettle bool // its tags changed a moment ago
	// ahead is how far AWS's clock was ahead of this machine's when the owner was read.
	ahead time.Duration
}

// begin is for methods that are told whose the repository is to be.
func (p *Provider) begin(project provider.Project) (*operation, error) {
	o, err := p.beginNamed(project)
	if err == nil && p.config.ProjectIDs && project.ID == "" {
		return nil, noProjectID("check project id", project.Name)
	}
	return o, err
}

// beginNamed is for methods that go by the name alone.
func (p *Provider) beginNamed(project provider.Project) (*operation, error) {
	if err := project.Validate(); err != nil {
		return nil, err
	}
	name := p.config.RepoPrefix + project.Name
	o := &operation{p: p, project: project, change: repository.Change{Project: project.Name, Name: name}}
	o.aws = p.aws.Repository(project.Name, name, p.setup.ARN(name), &o.change.Calls)
	return o, nil
}

func (o *operation) did(a repository.Action) { o.change.Actions = append(o.change.Actions, a) }

func (o *operation) note(text string) { o.change.Notes = append(o.change.Notes, text) }

// fail makes the operation's error of one that it decided on itself.
func (o *operation) fail(kind provider.Kind, op, hint string, text string) error {
	return &provider.Error{Kind: kind, Op: op, Project: o.project.Name, Hint: hint, Err: errors.New(text)}
}

// explained is the error of a call upstream.
func (o *operation) explained(err error) error {
	if f := failure.Of(err); f != nil {
		return hint.Error(o.p.setup, f)
	}
	return err
}

// write is a call for which a right that depends on tags is needed. It is ErrNotFound when the repository is gone by now: AWS
// denies that, as what is gone has no tags.
func (o *operation) write(ctx context.Context, op string, do func(context.Context) error) error {
	err := o.explained(do(ctx))
	if errors.Is(err, provider.ErrAccessDenied) {
		if r, again := o.describe(ctx); again == nil && r == nil {
			return o.fail(provider.ErrNotFound, op, "", "repository "+o.change.Name+" was removed meanwhile")
		}
	}
	for _, delay := range settleDelays() {
		if !o.unsettle || !errors.Is(err, provider.ErrAccessDenied) {
			break
		}
		if !wait(ctx, delay) {
			return err
		}
		err = o.explained(do(ctx))
	}
	return err
}

// wait reports whether d passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// describe returns nil when there is none.
func (o *operation) describe(ctx context.Context) (*types.Repository, error) {
	r, at, err := o.aws.Describe(ctx)
	switch err = o.explained(err); {
	case errors.Is(err, provider.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if !at.IsZero() && at.Sub(aws.ToTime(r.CreatedAt)) < settling {
		o.unsettle = true
	}
	return &r, nil
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
	o.change.Owner = o.p.config.owner(o.project.Name, tags)
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
		if name := tags[policy.TagInstallation]; name != "" && name != o.p.config.Installation { // which can't be adopted
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

func (o *operation) tag(ctx context.Context, op string, tags map[string]string) error {
	if tags[policy.TagProjectID] != "" {
		return o.setOwner(ctx, op, tags)
	}
	err := o.write(ctx, op, func(ctx context.Context) error { return o.aws.Tag(ctx, op, tags) })
	if err == nil {
		o.unsettle = true
	}
	return err
}

func (o *operation) untag(ctx context.Context, op string, keys ...string) error {
	err := o.write(ctx, op, func(ctx context.Context) error { return o.aws.Untag(ctx, op, keys...) })
	if err == nil {
		o.unsettle = true
	}
	return err
}
