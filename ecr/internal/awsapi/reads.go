package awsapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// Registry reads ECR with keys.
type Registry struct {
	once    *Once
	client  *ecr.Client
	options func(*ecr.Options)
}

// Registry returns what reads ECR with these keys.
func (o *Once) Registry(k Keys) Registry {
	return Registry{o, o.client.parts().registry, func(options *ecr.Options) { options.Retryer, options.Credentials = retryOnce{}, k.provider() }}
}

// Document is a policy that was read; there need be none.
type Document struct {
	Exists          bool
	Text, RequestID string
}

// Policy reads the registry's policy.
func (r Registry) Policy(ctx context.Context) (Document, error) {
	out, err := r.client.GetRegistryPolicy(ctx, &ecr.GetRegistryPolicyInput{}, r.options)
	if err != nil {
		return Document{}, without(r.once.Failed(ctx, "read the registry's policy", err), "RegistryPolicyNotFoundException")
	}
	return Document{true, aws.ToString(out.PolicyText), requestID(out.ResultMetadata)}, nil
}

// RepositoryPolicy reads a repository's policy.
func (r Registry) RepositoryPolicy(ctx context.Context, name string) (Document, error) {
	out, err := r.client.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RepositoryName: &name}, r.options)
	if err == nil && aws.ToString(out.RepositoryName) != name {
		err = anothers
	}
	if err != nil {
		return Document{}, without(r.once.Failed(ctx, "read the repository's policy", err), noPolicy)
	}
	return Document{true, aws.ToString(out.PolicyText), requestID(out.ResultMetadata)}, nil
}

// Tags reads a repository's tags.
func (r Registry) Tags(ctx context.Context, arn string) ([]Tag, string, error) {
	out, err := r.client.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: &arn}, r.options)
	if err != nil {
		return nil, "", r.once.Failed(ctx, "read repository", err)
	}
	return ownTags(out.Tags), requestID(out.ResultMetadata), nil
}

// Repositories reads the first page of repositories, and whether there are more.
func (r Registry) Repositories(ctx context.Context) (list []types.Repository, more bool, err error) {
	out, err := r.client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{MaxResults: aws.Int32(listPage)}, r.options)
	if err != nil {
		return nil, false, r.once.Failed(ctx, "list repositories", err)
	}
	return out.Repositories, aws.ToString(out.NextToken) != "", nil
}

// CreationTemplates reads the templates that repositories are created by.
func (r Registry) CreationTemplates(ctx context.Context) ([]types.RepositoryCreationTemplate, string, error) {
	out, err := r.client.DescribeRepositoryCreationTemplates(ctx, &ecr.DescribeRepositoryCreationTemplatesInput{MaxResults: aws.Int32(listPage)}, r.options)
	if err != nil {
		return nil, "", r.once.Failed(ctx, "read the registry's creation templates", err)
	}
	return out.RepositoryCreationTemplates, requestID(out.ResultMetadata), nil
}

// CacheRules reads the pull-through cache rules.
func (r Registry) CacheRules(ctx context.Context) ([]types.PullThroughCacheRule, string, error) {
	out, err := r.client.DescribePullThroughCacheRules(ctx, &ecr.DescribePullThroughCacheRulesInput{MaxResults: aws.Int32(listPage)}, r.options)
	if err != nil {
		return nil, "", r.once.Failed(ctx, "read the registry's pull-through cache rules", err)
	}
	return out.PullThroughCacheRules, requestID(out.ResultMetadata), nil
}

// Signing reads the configuration of managed signing; nil if there is none.
func (r Registry) Signing(ctx context.Context) (*types.SigningConfiguration, string, error) {
	out, err := r.client.GetSigningConfiguration(ctx, &ecr.GetSigningConfigurationInput{}, r.options)
	if err != nil {
		return nil, "", without(r.once.Failed(ctx, "read the registry's signing configuration", err), "SigningConfigurationNotFoundException")
	}
	signing := out.SigningConfiguration
	if signing == nil {
		signing = &types.SigningConfiguration{}
	}
	return signing, requestID(out.ResultMetadata), nil
}
