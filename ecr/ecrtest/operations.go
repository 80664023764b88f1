package ecrtest

import (
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

// operation looks up an operation of the ECR API; nil when there is none. Those that only the image registry carries
// out here are authorized all the same.
func operation(name string) func(*ecrCall) (any, *awsError) {
	switch name {
	case "GetAuthorizationToken":
		return getAuthorizationToken
	case "CreateRepository":
		return createRepository
	case "DescribeRepositories":
		return describeRepositories
	case "DeleteRepository":
		return deleteRepository
	case "TagResource":
		return tagResource
	case "UntagResource":
		return untagResource
	case "ListTagsForResource":
		return listTagsForResource
	case "PutImageScanningConfiguration":
		return putImageScanningConfiguration
	case "PutImageTagMutability":
		return putImageTagMutability
	case "PutLifecyclePolicy":
		return putLifecyclePolicy
	case "GetLifecyclePolicy":
		return getLifecyclePolicy
	case "DeleteLifecyclePolicy":
		return deleteLifecyclePolicy
	case "SetRepositoryPolicy":
		return setRepositoryPolicy
	case "GetRepositoryPolicy":
		return getRepositoryPolicy
	case "DeleteRepositoryPolicy":
		return deleteRepositoryPolicy
	case "PutRegistryPolicy":
		return putRegistryPolicy
	case "GetRegistryPolicy":
		return getRegistryPolicy
	case "DeleteRegistryPolicy":
		return deleteRegistryPolicy
	case "DescribeRegistry":
		return describeRegistry
	case "GetRegistryScanningConfiguration":
		return getRegistryScanningConfiguration
	case "GetAccountSetting":
		return getAccountSetting
	case "DescribeRepositoryCreationTemplates":
		return describeRepositoryCreationTemplates
	case "DescribePullThroughCacheRules":
		return describePullThroughCacheRules
	case "GetSigningConfiguration":
		return getSigningConfiguration
	case "BatchCheckLayerAvailability":
		return batchCheckLayerAvailability
	case "BatchGetImage":
		return batchGetImage
	case "BatchDeleteImage":
		return batchDeleteImage
	case "ListImages":
		return listImages
	case "DescribeImages":
		return describeImages
	case "GetDownloadUrlForLayer", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage":
		return registryOnly
	}
	return nil
}

// registryOf finds the registry that a call names by account, by default the caller's.
func (c *ecrCall) registryOf(account string) (*registry, *awsError) {
	if account == "" {
		account = c.who.account()
	}
	if !accountPattern.MatchString(account) {
		return nil, invalidParameter("registryId", "must satisfy regular expression '[0-9]{12}'")
	}
	return c.registry(account, c.call.Region), nil
}

// repositoryInput is what most operations begin with.
type repositoryInput struct {
	RegistryID string `json:"registryId"`
	Name       string `json:"repositoryName"`
}

// named authorizes an operation on a repository, and only then says whether there is one.
func (c *ecrCall) named(in repositoryInput) (*repository, *awsError) {
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	reg, err := c.registryOf(in.RegistryID)
	if err != nil {
		return nil, err
	}
	repo := reg.repositories[in.Name]
	if err := c.authorize("ecr:"+c.call.Action, c.repositoryARN(reg.key, in.Name), repo, nil); err != nil {
		return nil, err
	}
	if repo == nil {
		return nil, noRepository(in.Name, reg.key.account)
	}
	return repo, nil
}

func noRepository(name, account string) *awsError {
	return errorf("RepositoryNotFoundException",
		"The repository with name '%s' does not exist in the registry with id '%s'",
		name, account)
}

// byARN authorizes an operation on the repository of an ARN.
func (c *ecrCall) byARN(arn string, add func(iam.Context)) (*repository, *awsError) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] != c.partition || parts[2] != "ecr" || parts[3] != c.call.Region ||
		!accountPattern.MatchString(parts[4]) || !strings.HasPrefix(parts[5], "repository/") {
		return nil, errorf("InvalidParameterException", "Invalid parameter at 'resourceArn' failed to satisfy constraint: "+
			"'Invalid ARN'")
	}
	name := strings.TrimPrefix(parts[5], "repository/")
	if err := checkName(name); err != nil {
		return nil, err
	}
	repo := c.registry(parts[4], parts[3]).repositories[name]
	if err := c.authorize("ecr:"+c.call.Action, arn, repo, add); err != nil {
		return nil, err
	}
	if repo == nil {
		return nil, noRepository(name, parts[4])
	}
	return repo, nil
}

// ownRegistry authorizes an operation on the caller's registry, which IAM knows no resource for.
func (c *ecrCall) ownRegistry() (*registry, *awsError) {
	if err := c.authorize("ecr:"+c.call.Action, "*", nil, nil); err != nil {
		return nil, err
	}
	return c.registry(c.who.account(), c.call.Region), nil
}

// answer begins the answer of most operations on a repository.
func (r *repository) answer() map[string]any {
	return map[string]any{"registryId": r.key.account, "repositoryName": r.name}
}

// registryOnly authorizes an operation that is carried out at the image registry only.
func registryOnly(c *ecrCall) (any, *awsError) {
	var in repositoryInput
	if err := c.input(&in); err != nil {
		return nil, err
	}
	if _, err := c.named(in); err != nil {
		return nil, err
	}
	return nil, errorf("UnsupportedCommandException", "ecrtest carries %s out at the image registry only", c.call.Action)
}
