package awsapi

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
)

// The steps of calls that name their own, as errors have them.
const (
	OpTags            = "read the repository's tags"
	OpScanning        = "set scan on push"
	OpMutability      = "set tag mutability"
	OpPutLifecycle    = "set lifecycle policy"
	OpDeleteLifecycle = "delete lifecycle policy"
)

// Repository is one repository of the registry, which the controller calls ECR about. Whatever names a registry and a repository in an
// answer has to be it; the answers about tags name none.
type Repository struct {
	// Project is whose it is to be; Name and ARN are the repository's.
	Project, Name, ARN string

	client *Client
	calls  *int
}

// Repository returns the repository of that name. calls counts the calls that are made.
func (c *Client) Repository(project, name, arn string, calls *int) *Repository {
	return &Repository{Project: project, Name: name, ARN: arn, client: c, calls: calls}
}

func (r *Repository) call(ctx context.Context, op string, do func(context.Context, *ecr.Client) error) error {
	*r.calls++
	ctx = recordAttempts(ctx)
	p := r.client.parts()
	err := do(ctx, p.registry)
	if p.controller.forgetEnded(err) {
		err = do(ctx, p.registry)
	}
	if err == nil {
		return nil
	}
	return r.client.failed(ctx, Step{Op: op, Project: r.Project, Repository: r.Name}, err, p.controller.secrets())
}

const anothers = BadAnswer("it is about another repository")

func (r *Repository) isAbout(registry, name *string) error {
	if aws.ToString(registry) != r.client.config.AccountID || aws.ToString(name) != r.Name {
		return anothers
	}
	return nil
}

func (r *Repository) isOwn(answered *types.Repository) error {
	if answered == nil || aws.ToString(answered.RepositoryArn) != r.ARN {
		return anothers
	}
	return r.isAbout(answered.RegistryId, answered.RepositoryName)
}

// Describe returns the repository as ECR has it, and AWS's time of the answer, which is zero if it isn't known. There is none where it fails
// with [provider.ErrNotFound].
func (r *Repository) Describe(ctx context.Context) (found types.Repository, at time.Time, err error) {
	err = r.call(ctx, "describe repository", func(ctx context.Context, client *ecr.Client) error {
		out, err := client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{
			RegistryId: &r.client.config.AccountID, RepositoryNames: []string{r.Name},
		})
		switch {
		case err != nil:
			return err
		case len(out.Repositories) != 1:
			return anothers
		}
		found = out.Repositories[0]
		at, _ = dateOf(out.ResultMetadata)
		return r.isOwn(&found)
	})
	return found, at, err
}

// Create makes the repository as input says, whose names it fills in.
func (r *Repository) Create(ctx context.Context, input ecr.CreateRepositoryInput, tags map[string]string) (made types.Repository, err error) {
	input.RegistryId, input.RepositoryName, input.Tags = &r.client.config.AccountID, &r.Name, tagsOf(tags)
	err = r.call(ctx, "create repository", func(ctx context.Context, client *ecr.Client) error {
		out, err := client.CreateRepository(ctx, &input)
		if err != nil {
			return err
		}
		if err := r.isOwn(out.Repository); err != nil {
			return err
		}
		made = *out.Repository
		return nil
	})
	return made, err
}

// Delete deletes the repository and all that is in it. The SDK makes one attempt.
func (r *Repository) Delete(ctx context.Context, op string) error {
	return r.call(ctx, op, func(ctx context.Context, client *ecr.Client) error {
		out, err := client.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RegistryId: &r.client.config.AccountID, RepositoryName: &r.Name, Force: true},
			func(options *ecr.Options) { options.Retryer = aws.NopRetryer{} })
		if err == nil {
			err = r.isOwn(out.Repository)
		}
		return err
	})
}

// Tags returns the repository's tags, as they come, and AWS's time of the answer, which is zero if it isn't known.
func (r *Repository) Tags(ctx context.Context) (tags []Tag, at time.Time, err error) {
	err = r.call(ctx, OpTags, func(ctx context.Context, client *ecr.Client) error {
		out, err := client.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: &r.ARN})
		if err != nil {
			return err
		}
		tags = ownTags(out.Tags)
		at, _ = dateOf(out.ResultMetadata)
		return nil
	})
	return tags, at, err
}

// Tag sets tags.
func (r *Repository) Tag(ctx context.Context, op string, tags map[string]string) error {
	return r.tag(ctx, op, tags)
}

// TagOnce is Tag of which the SDK makes one attempt only.
func (r *Repository) TagOnce(ctx context.Context, op string, tags map[string]string) error {
	return r.tag(ctx, op, tags, func(options *ecr.Options) { options.RetryMaxAttempts = 1 })
}

func (r *Repository) tag(ctx context.Context, op string, tags map[string]string, options ...func(*ecr.Options)) error {
	return r.call(ctx, op, func(ctx context.Context, client *ecr.Client) error {
		_, err := client.TagResource(ctx, &ecr.TagResourceInput{ResourceArn: &r.ARN, Tags: tagsOf(tags)}, options...)
		return err
	})
}

// Untag takes tags off.
func (r *Repository) Untag(ctx context.Context, op string, keys ...string) error {
	return r.call(ctx, op, func(ctx context.Context, client *ecr.Client) error {
		_, err := client.UntagResource(ctx, &ecr.UntagResourceInput{ResourceArn: &r.ARN, TagKeys: keys})
		return err
	})
}

// PutScanning sets whether images are scanned.
func (r *Repository) PutScanning(ctx context.Context, scanning *types.ImageScanningConfiguration) error {
	return r.call(ctx, OpScanning, func(ctx context.Context, client *ecr.Client) error {
		out, err := client.PutImageScanningConfiguration(ctx, &ecr.PutImageScanningConfigurationInput{
			RegistryId: &r.client.config.AccountID, RepositoryName: &r.Name, ImageScanningConfiguration: scanning,
		})
		if err == nil {
			err = r.isAbout(out.RegistryId, out.RepositoryName)
		}
		return err
	})
}

// PutMutability sets which tags of images can be overwritten.
func (r *Repository) PutMutability(ctx context.Context, mutability types.ImageTagMutability, but []types.ImageTagMutabilityExclusionFilter) error {
	return r.call(ctx, OpMutability, func(ctx context.Context, client *ecr.Client) error {
		out, err := client.PutImageTagMutability(ctx, &ecr.PutImageTagMutabilityInput{
			RegistryId: &r.client.config.AccountID, RepositoryName: &r.Name, ImageTagMutability: mutability, ImageTagMutabilityExclusionFilters: but,
		})
		if err == nil {
			err = r.isAbout(out.RegistryId, out.RepositoryName)
		}
		return err
	})
}

// LifecyclePolicy returns the repository's lifecycle policy, empty if it has none.
func (r *Repository) LifecyclePolicy(ctx context.Context) (text string, err error) {
	err = r.call(ctx, "read the lifecycle policy", func(ctx context.Context, client *ecr.Client) error {
		out, err := client.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RegistryId: &r.client.config.AccountID, RepositoryName: &r.Name})
		if err != nil {
			return err
		}
		text = aws.ToString(out.LifecyclePolicyText)
		return r.isAbout(out.RegistryId, out.RepositoryName)
	})
	return text, without(err, noLifecycle)
}

// PutLifecycle sets the lifecycle policy.
func (r *Repository) PutLifecycle(ctx context.Context, policy string) error {
	return r.call(ctx, OpPutLifecycle, func(ctx context.Context, client *ecr.Client) error {
		out, err := client.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{
			RegistryId: &r.client.config.AccountID, RepositoryName: &r.Name, LifecyclePolicyText: &policy,
		})
		if err == nil {
			err = r.isAbout(out.RegistryId, out.RepositoryName)
		}
		return err
	})
}

// DeleteLifecycle deletes the lifecycle policy, if there is one.
func (r *Repository) DeleteLifecycle(ctx context.Context) error {
	err := r.call(ctx, OpDeleteLifecycle, func(ctx context.Context, client *ecr.Client) error {
		out, err := client.DeleteLifecyclePolicy(ctx, &ecr.DeleteLifecyclePolicyInput{RegistryId: &r.client.config.AccountID, RepositoryName: &r.Name})
		if err == nil {
			err = r.isAbout(out.RegistryId, out.RepositoryName)
		}
		return err
	})
	return without(err, noLifecycle)
}

// Policy returns the repository's own policy; there need be none.
func (r *Repository) Policy(ctx context.Context) (text string, exists bool, err error) {
	err = r.call(ctx, "read the repository's policy", func(ctx context.Context, client *ecr.Client) error {
		out, err := client.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RegistryId: &r.client.config.AccountID, RepositoryName: &r.Name})
		if err != nil {
			return err
		}
		text, exists = aws.ToString(out.PolicyText), true
		return r.isAbout(out.RegistryId, out.RepositoryName)
	})
	return text, exists, without(err, noPolicy)
}

// Codes of what there is none of.
const (
	noLifecycle = "LifecyclePolicyNotFoundException"
	noPolicy    = "RepositoryPolicyNotFoundException"
)

// without makes a success of a code.
func without(err error, code string) error {
	if failure.CodeOf(err) == code {
		return nil
	}
	return err
}

func tagsOf(tags map[string]string) []types.Tag {
	var list []types.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return list
}

func ownTags(tags []types.Tag) []Tag {
	list := make([]Tag, 0, len(tags))
	for _, t := range tags {
		list = append(list, Tag{aws.ToString(t.Key), aws.ToString(t.Value)})
	}
	return list
}
