package ecrtest

import (
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

func createRepository(c *ecrCall) (any, *awsError) {
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
	if err := checkName(in.Name); err != nil {
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
	set := settings{mutability: in.Mutability, scanOnPush: in.Scanning.ScanOnPush, encryption: in.Encryption.Type,
		kmsKey: in.Encryption.KMSKey}
	if set.exclusions, err = exclusions(in.Filters); err != nil {
		return nil, err
	}
	arn := c.repositoryARN(reg.key, in.Name)
	// A repository that is to be created has no tags yet, even if there is one of that name.
	withTags := func(ctx iam.Context) { requestTags(ctx, tags) }
	if err := c.authorize("ecr:CreateRepository", arn, nil, withTags); err != nil {
		return nil, err
	}
	if len(tags) > 0 {
		if err := c.authorize("ecr:TagResource", arn, nil, withTags); err != nil {
			return nil, err
		}
	}
	if set.kmsKey != "" {
		if err := c.authorizeKMS(set.kmsKey, "kms:DescribeKey", "kms:CreateGrant"); err != nil {
			return nil, err
		}
	}
	now := c.now()
	repo, err := c.create(reg, in.Name, set, tags, now, now)
	if err != nil {
		return nil, err
	}
	return map[string]any{"repository": c.jsonRepository(repo)}, nil
}

// authorizeKMS decides what ECR does with a key on the caller's behalf.
func (c *ecrCall) authorizeKMS(key string, actions ...string) *awsError {
	if !strings.HasPrefix(key, "arn:") {
		key = "arn:" + c.partition + ":kms:" + c.call.Region + ":" + c.who.account() + ":key/" + key
	}
	resource, decision := c.call.Resource, c.call.Decision
	for _, action := range actions {
		err := c.authorize(action, key, nil, func(ctx iam.Context) {
			ctx.Set("kms:ViaService", "ecr."+c.call.Region+"."+c.dnsSuffix)
			ctx.Set("kms:GrantIsForAWSResource", "true")
			ctx.Set("aws:ViaAWSService", "true")
		})
		if err != nil {
			return errorf("KmsException", "The operation failed because of KMS: %s", err.message)
		}
	}
	c.call.Resource, c.call.Decision = resource, decision
	return nil
}

func describeRepositories(c *ecrCall) (any, *awsError) {
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
			return nil, invalidParameter("maxResults", "must not be used with repositoryNames")
		}
		if len(in.Names) > 100 {
			return nil, invalidParameter("repositoryNames", "must have length less than or equal to 100")
		}
		for _, name := range in.Names {
			repo, err := c.named(repositoryInput{in.RegistryID, name})
			if err != nil {
				return nil, err
			}
			out.Repositories = append(out.Repositories, c.jsonRepository(repo))
		}
		return out, nil
	}
	if err := c.authorize("ecr:DescribeRepositories", c.repositoryARN(reg.key, "*"), nil, nil); err != nil {
		return nil, err
	}
	page, next, err := paged(reg.names, in.paging)
	if err != nil {
		return nil, err
	}
	for _, name := range page {
		out.Repositories = append(out.Repositories, c.jsonRepository(reg.repositories[name]))
	}
	out.NextToken = next
	return out, nil
}

func deleteRepository(c *ecrCall) (any, *awsError) {
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
	if len(repo.images) > 0 {
		if !in.Force {
			return nil, errorf("RepositoryNotEmptyException",
				"The repository with name '%s' in registry with id '%s' cannot be "+
					"deleted because it still contains images", repo.name, repo.key.account)
		}
		if c.cfg.ForceDeleteNeedsBatchDelete {
			if err := c.authorize("ecr:BatchDeleteImage", repo.arn, repo, nil); err != nil {
				return nil, err
			}
		}
	}
	if repo.kmsKey != "" {
		if err := c.authorizeKMS(repo.kmsKey, "kms:RetireGrant"); err != nil {
			return nil, err
		}
	}
	c.registries[repo.key].remove(repo.name)
	return map[string]any{"repository": c.jsonRepository(repo)}, nil
}

type jsonRepository struct {
	ARN        string         `json:"repositoryArn"`
	RegistryID string         `json:"registryId"`
	Name       string         `json:"repositoryName"`
	URI        string         `json:"repositoryUri"`
	CreatedAt  timestamp      `json:"createdAt"`
	Mutability string         `json:"imageTagMutability"`
	Filters    []jsonFilter   `json:"imageTagMutabilityExclusionFilters,omitempty"`
	Scanning   jsonScanning   `json:"imageScanningConfiguration"`
	Encryption jsonEncryption `json:"encryptionConfiguration"`
}

func (s *Server) jsonRepository(r *repository) jsonRepository {
	return jsonRepository{
		ARN: r.arn, RegistryID: r.key.account, Name: r.name, URI: s.registryHost(r.key.account, r.key.region) + "/" + r.name,
		CreatedAt: timestamp(r.createdAt), Mutability: r.mutability, Filters: jsonFilters(r.exclusions),
		Scanning: jsonScanning{r.scanOnPush && !s.cfg.ScanningByRegistry}, Encryption: jsonEncryption{r.encryption, r.kmsKey},
	}
}

type jsonScanning struct {
	ScanOnPush bool `json:"scanOnPush"`
}

type jsonFilter struct {
	Filter     string `json:"filter"`
	FilterType string `json:"filterType"`
}

type jsonEncryption struct {
	Type   string `json:"encryptionType"`
	KMSKey string `json:"kmsKey,omitempty"`
}

func jsonFilters(exclusions []string) []jsonFilter {
	var out []jsonFilter
	for _, e := range exclusions {
		out = append(out, jsonFilter{e, "WILDCARD"})
	}
	return out
}

func exclusions(filters []jsonFilter) ([]string, *awsError) {
	var out []string
	for _, f := range filters {
		if f.FilterType != "WILDCARD" {
			return nil, invalidParameter("imageTagMutabilityExclusionFilters", "filterType must be WILDCARD")
		}
		out = append(out, f.Filter)
	}
	return out, nil
}
