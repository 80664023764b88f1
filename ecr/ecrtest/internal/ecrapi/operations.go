package ecrapi

import "github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"

// operation looks up an operation of the ECR API; nil when there is none. Those that only the image registry carries
// out here are authorized all the same.
func operation(name string) func(*call) (any, *awserr.Error) {
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

// registryOnly authorizes an operation that is carried out at the image registry only.
func registryOnly(c *call) (any, *awserr.Error) {
	var in repositoryInput
	if err := c.input(&in); err != nil {
		return nil, err
	}
	if _, err := c.named(in); err != nil {
		return nil, err
	}
	return nil, awserr.New("UnsupportedCommandException", "ecrtest carries %s out at the image registry only", c.record.Action)
}
