package ecrtest

import (
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

func setRepositoryPolicy(c *ecrCall) (any, *awsError) {
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
		return nil, invalidParameter("PolicyText", "must not be empty")
	}
	if err := c.setPolicy(repo, in.Text); err != nil {
		return nil, invalidParameter("PolicyText", "Invalid repository policy provided: "+err.Error())
	}
	out := repo.answer()
	out["policyText"] = in.Text
	return out, nil
}

func getRepositoryPolicy(c *ecrCall) (any, *awsError) {
	repo, err := policyOf(c)
	if err != nil {
		return nil, err
	}
	out := repo.answer()
	out["policyText"] = repo.policyText
	return out, nil
}

func deleteRepositoryPolicy(c *ecrCall) (any, *awsError) {
	repo, err := policyOf(c)
	if err != nil {
		return nil, err
	}
	out := repo.answer()
	out["policyText"] = repo.policyText
	repo.policyText, repo.policy = "", nil
	return out, nil
}

func policyOf(c *ecrCall) (*repository, *awsError) {
	var in repositoryInput
	if err := c.input(&in); err != nil {
		return nil, err
	}
	repo, err := c.named(in)
	if err == nil && repo.policy == nil {
		err = errorf("RepositoryPolicyNotFoundException",
			"Repository policy does not exist for the repository with name '%s' in "+
				"the registry with id '%s'", repo.name, repo.key.account)
	}
	return repo, err
}

func putRegistryPolicy(c *ecrCall) (any, *awsError) {
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
		return nil, invalidParameter("PolicyText", "must not be empty")
	}
	if err := c.setRegistryPolicy(reg, in.Text); err != nil {
		return nil, invalidParameter("PolicyText", "Invalid registry policy provided: "+err.Error())
	}
	return map[string]string{"registryId": reg.key.account, "policyText": in.Text}, nil
}

func getRegistryPolicy(c *ecrCall) (any, *awsError) {
	reg, err := c.ownRegistry()
	if err == nil && reg.policy == nil {
		err = errorf("RegistryPolicyNotFoundException", "Registry policy does not exist in the registry with id '%s'",
			reg.key.account)
	}
	if err != nil {
		return nil, err
	}
	return map[string]string{"registryId": reg.key.account, "policyText": reg.policyText}, nil
}

func deleteRegistryPolicy(c *ecrCall) (any, *awsError) {
	out, err := getRegistryPolicy(c)
	if err == nil {
		reg := c.registry(c.who.account(), c.call.Region)
		reg.policyText, reg.policy = "", nil
	}
	return out, err
}

// setPolicy parses and stores a repository policy; "" removes it.
func (s *Server) setPolicy(r *repository, text string) error {
	if text == "" {
		r.policyText, r.policy = "", nil
		return nil
	}
	p, err := iam.Parse(text, iam.Repository)
	if err != nil {
		return err
	}
	s.bindNew(p)
	r.policyText, r.policy = text, p
	return nil
}

func (s *Server) setRegistryPolicy(reg *registry, text string) error {
	if text == "" {
		reg.policyText, reg.policy = "", nil
		return nil
	}
	p, err := iam.Parse(text, iam.Resource)
	if err != nil {
		return err
	}
	s.bindNew(p)
	reg.policyText, reg.policy = text, p
	return nil
}
