package ecr

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"

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
	client   *ecr.Client
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
	return &operation{
		p: p, client: p.clients().registry, project: project,
		change: repository.Change{Project: project.Name, Name: name},
	}, nil
}

func (o *operation) did(a repository.Action) { o.change.Actions = append(o.change.Actions, a) }

func (o *operation) note(text string) { o.change.Notes = append(o.change.Notes, text) }

func (o *operation) name() *string     { return aws.String(o.change.Name) }
func (o *operation) registry() *string { return aws.String(o.p.config.AccountID) }
func (o *operation) arn() *string {
	return aws.String(o.p.setup.ARN(o.change.Name))
}

// fail makes the operation's error of one that it decided on itself.
func (o *operation) fail(kind provider.Kind, op, hint string, text string) error {
	return &provider.Error{Kind: kind, Op: op, Project: o.project.Name, Hint: hint, Err: errors.New(text)}
}

// call counts and classifies one call upstream.
func (o *operation) call(ctx context.Context, op string, do func(context.Context) error) error {
	o.change.Calls++
	ctx = recordAttempts(ctx)
	controller := o.p.clients().assumer.controller
	err := do(ctx)
	if controller.forgetEnded(err) {
		err = do(ctx)
	}
	if err == nil {
		return nil
	}
	return o.p.classify(ctx, op, o.project.Name, err, controller.secrets()...)
}

// write is call for what a right that depends on tags is needed. It is ErrNotFound when the repository is gone by now: AWS
// denies that, as what is gone has no tags.
func (o *operation) write(ctx context.Context, op string, do func(context.Context) error) error {
	err := o.call(ctx, op, do)
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
		err = o.call(ctx, op, do)
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
	const op = "describe repository"
	var out *ecr.DescribeRepositoriesOutput
	err := o.call(ctx, op, func(ctx context.Context) (err error) {
		out, err = o.client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{
			RegistryId: o.registry(), RepositoryNames: []string{o.change.Name},
		})
		if err == nil && len(out.Repositories) != 1 {
			return anothers
		}
		if err == nil {
			err = o.isOwn(&out.Repositories[0])
		}
		return err
	})
	switch {
	case errors.Is(err, provider.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	r := out.Repositories[0]
	if date, ok := dateOf(out.ResultMetadata); ok && date.Sub(aws.ToTime(r.CreatedAt)) < settling {
		o.unsettle = true
	}
	return &r, nil
}

const anothers = badAnswer("it is about another repository")

// isAbout fails unless an answer that names a registry and a repository means the operation's. Whatever has a name in it is
// looked at; the answers about tags have none.
func (o *operation) isAbout(registry, name *string) error {
	if aws.ToString(registry) != o.p.config.AccountID || aws.ToString(name) != o.change.Name {
		return anothers
	}
	return nil
}

func (o *operation) isOwn(r *types.Repository) error {
	if r == nil || aws.ToString(r.RepositoryArn) != *o.arn() {
		return anothers
	}
	return o.isAbout(r.RegistryId, r.RepositoryName)
}

// readTags reads whose the repository is. It is ErrNotFound when there is none.
func (o *operation) readTags(ctx context.Context) (map[string]string, error) {
	o.change.Owner = repository.Owner{}
	const op = "read the repository's tags"
	var out *ecr.ListTagsForResourceOutput
	err := o.call(ctx, op, func(ctx context.Context) (err error) {
		out, err = o.client.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: o.arn()})
		return err
	})
	if err != nil {
		return nil, err
	}
	tags := make(map[string]string, len(out.Tags))
	for _, t := range out.Tags {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	if len(tags) != len(out.Tags) {
		return nil, &provider.Error{Kind: provider.ErrBadResponse, Op: op, Project: o.project.Name, Err: badAnswer("a tag is in it twice")}
	}
	o.change.Owner = o.p.config.owner(o.project.Name, tags)
	o.change.Owner.ReadAt, _ = dateOf(out.ResultMetadata)
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
	var list []types.Tag
	for key, value := range tags {
		list = append(list, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	slices.SortFunc(list, func(a, b types.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	set := func(ctx context.Context, opts ...func(*ecr.Options)) error {
		_, err := o.client.TagResource(ctx, &ecr.TagResourceInput{ResourceArn: o.arn(), Tags: list}, opts...)
		return err
	}
	if tags[policy.TagProjectID] != "" {
		return o.setOwner(ctx, op, tags, set)
	}
	err := o.write(ctx, op, func(ctx context.Context) error { return set(ctx) })
	if err == nil {
		o.unsettle = true
	}
	return err
}

func (o *operation) untag(ctx context.Context, op string, keys ...string) error {
	err := o.write(ctx, op, func(ctx context.Context) error {
		_, err := o.client.UntagResource(ctx, &ecr.UntagResourceInput{ResourceArn: o.arn(), TagKeys: keys})
		return err
	})
	if err == nil {
		o.unsettle = true
	}
	return err
}

// apiCode is the code of AWS's error in err, "" if there is none.
func apiCode(err error) string {
	if err == nil {
		return ""
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
