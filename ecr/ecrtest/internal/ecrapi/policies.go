package ecrapi

import (
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
)

func setRepositoryPolicy(c *call) (any, *awserr.Error) {
	var in struct {
		repositoryInput
		Text string `json:"policyText"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	repo, err := c.named(in.repositoryInput)
	if err != nil {
		return nil, err
	}
	if in.Text == "" {
		return nil, awserr.InvalidParameter("PolicyText", "must not be empty")
	}
	if err := c.cloud.Registries.SetRepositoryPolicy(repo, in.Text); err != nil {
		return nil, awserr.InvalidParameter("PolicyText", "Invalid repository policy provided: "+err.Error())
	}
	out := answer(repo)
	out["policyText"] = in.Text
	return out, nil
}

func getRepositoryPolicy(c *call) (any, *awserr.Error) {
	repo, err := policyOf(c)
	if err != nil {
		return nil, err
	}
	out := answer(repo)
	out["policyText"] = repo.PolicyText
	return out, nil
}

func deleteRepositoryPolicy(c *call) (any, *awserr.Error) {
	repo, err := policyOf(c)
	if err != nil {
		return nil, err
	}
	out := answer(repo)
	out["policyText"] = repo.PolicyText
	_ = c.cloud.Registries.SetRepositoryPolicy(repo, "") // none is always fine
	return out, nil
}

func policyOf(c *call) (*repos.Repository, *awserr.Error) {
	var in repositoryInput
	if err := c.input(&in); err != nil {
		return nil, err
	}
	repo, err := c.named(in)
	if err == nil && repo.Policy == nil {
		err = awserr.New("RepositoryPolicyNotFoundException",
			"Repository policy does not exist for the repository with name '%s' in "+
				"the registry with id '%s'", repo.Name, repo.Key.Account)
	}
	return repo, err
}

func putRegistryPolicy(c *call) (any, *awserr.Error) {
	var in struct {
		Text string `json:"policyText"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	reg, err := c.ownRegistry()
	if err != nil {
		return nil, err
	}
	if in.Text == "" {
		return nil, awserr.InvalidParameter("PolicyText", "must not be empty")
	}
	if err := c.cloud.Registries.SetRegistryPolicy(reg, in.Text); err != nil {
		return nil, awserr.InvalidParameter("PolicyText", "Invalid registry policy provided: "+err.Error())
	}
	return map[string]string{"registryId": reg.Key.Account, "policyText": in.Text}, nil
}

func getRegistryPolicy(c *call) (any, *awserr.Error) {
	reg, err := c.ownRegistry()
	if err == nil && reg.Policy == nil {
		err = awserr.New("RegistryPolicyNotFoundException", "Registry policy does not exist in the registry with id '%s'",
			reg.Key.Account)
	}
	if err != nil {
		return nil, err
	}
	return map[string]string{"registryId": reg.Key.Account, "policyText": reg.PolicyText}, nil
}

func deleteRegistryPolicy(c *call) (any, *awserr.Error) {
	out, err := getRegistryPolicy(c)
	if err == nil {
		reg := c.cloud.Registries.Of(c.who.Account(), c.record.Region)
		_ = c.cloud.Registries.SetRegistryPolicy(reg, "") // none is always fine
	}
	return out, err
}
