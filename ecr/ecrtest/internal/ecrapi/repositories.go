package ecrapi

import (
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/cloud"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
)

func createRepository(c *call) (any, *awserr.Error) {
	var in struct {
		repositoryInput
		Tags       []jsonTag      `json:"tags"`
		Mutability string         `json:"imageTagMutability"`
		Filters    []jsonFilter   `json:"imageTagMutabilityExclusionFilters"`
		Scanning   jsonScanning   `json:"imageScanningConfiguration"`
		Encryption jsonEncryption `json:"encryptionConfiguration"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	if err := repos.CheckName(in.Name); err != nil {
		return nil, err
	}
	reg, err := c.registryOf(in.RegistryID)
	if err != nil {
		return nil, err
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	set := repos.Settings{Mutability: in.Mutability, ScanOnPush: in.Scanning.ScanOnPush, Encryption: in.Encryption.Type,
		KMSKey: in.Encryption.KMSKey}
	if set.Exclusions, err = exclusions(in.Filters); err != nil {
		return nil, err
	}
	arn := reg.ARN(in.Name)
	// A repository that is to be created has no tags yet, even if there is one of that name.
	withTags := func(ctx iam.Context) { cloud.SetRequestTags(ctx, tags) }
	if err := c.authorize("ecr:CreateRepository", arn, nil, withTags); err != nil {
		return nil, err
	}
	if len(tags) > 0 {
		if err := c.authorize("ecr:TagResource", arn, nil, withTags); err != nil {
			return nil, err
		}
	}
	if set.KMSKey != "" {
		if err := c.authorizeKMS(set.KMSKey, "kms:DescribeKey", "kms:CreateGrant"); err != nil {
			return nil, err
		}
	}
	now := c.cloud.Now()
	repo, err := reg.Create(in.Name, set, tags, now, now)
	if err != nil {
		return nil, err
	}
	return map[string]any{"repository": c.repository(repo)}, nil
}

// authorizeKMS decides what ECR does with a key on the caller's behalf.
func (c *call) authorizeKMS(key string, actions ...string) *awserr.Error {
	if !strings.HasPrefix(key, "arn:") {
		key = "arn:" + c.cloud.Partition + ":kms:" + c.record.Region + ":" + c.who.Account() + ":key/" + key
	}
	resource, decision := c.record.Resource, c.record.Decision
	for _, action := range actions {
		err := c.authorize(action, key, nil, func(ctx iam.Context) {
			ctx.Set("kms:ViaService", "ecr."+c.record.Region+"."+c.cloud.DNSSuffix)
			ctx.Set("kms:GrantIsForAWSResource", "true")
			ctx.Set("aws:ViaAWSService", "true")
		})
		if err != nil {
			return awserr.New("KmsException", "The operation failed because of KMS: %s", err.Message)
		}
	}
	c.record.Resource, c.record.Decision = resource, decision
	return nil
}

func describeRepositories(c *call) (any, *awserr.Error) {
	var in struct {
		RegistryID string   `json:"registryId"`
		Names      []string `json:"repositoryNames"`
		paging
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	reg, err := c.registryOf(in.RegistryID)
	if err != nil {
		return nil, err
	}
	out := struct {
		Repositories []jsonRepository `json:"repositories"`
		NextToken    string           `json:"nextToken,omitempty"`
	}{Repositories: []jsonRepository{}}
	if len(in.Names) > 0 {
		if in.MaxResults != nil || in.NextToken != "" {
			return nil, awserr.InvalidParameter("maxResults", "must not be used with repositoryNames")
		}
		if len(in.Names) > 100 {
			return nil, awserr.InvalidParameter("repositoryNames", "must have length less than or equal to 100")
		}
		for _, name := range in.Names {
			repo, err := c.named(repositoryInput{in.RegistryID, name})
			if err != nil {
				return nil, err
			}
			out.Repositories = append(out.Repositories, c.repository(repo))
		}
		return out, nil
	}
	if err := c.authorize("ecr:DescribeRepositories", reg.ARN("*"), nil, nil); err != nil {
		return nil, err
	}
	page, next, err := paged(reg.Names, in.paging)
	if err != nil {
		return nil, err
	}
	for _, name := range page {
		out.Repositories = append(out.Repositories, c.repository(reg.Repositories[name]))
	}
	out.NextToken = next
	return out, nil
}

func deleteRepository(c *call) (any, *awserr.Error) {
	var in struct {
		repositoryInput
		Force bool `json:"force"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	repo, err := c.named(in.repositoryInput)
	if err != nil {
		return nil, err
	}
	if len(repo.Images.ByDigest) > 0 {
		if !in.Force {
			return nil, awserr.New("RepositoryNotEmptyException",
				"The repository with name '%s' in registry with id '%s' cannot be "+
					"deleted because it still contains images", repo.Name, repo.Key.Account)
		}
		if c.cfg.ForceDeleteNeedsBatchDelete {
			if err := c.authorize("ecr:BatchDeleteImage", repo.ARN, repo, nil); err != nil {
				return nil, err
			}
		}
	}
	if repo.KMSKey != "" {
		if err := c.authorizeKMS(repo.KMSKey, "kms:RetireGrant"); err != nil {
			return nil, err
		}
	}
	c.cloud.Registries.Delete(repo)
	return map[string]any{"repository": c.repository(repo)}, nil
}
