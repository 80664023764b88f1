package ecrapi

import (
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
)

func putLifecyclePolicy(c *call) (any, *awserr.Error) {
	var in struct {
		repositoryInput
		Text string `json:"lifecyclePolicyText"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	repo, err := c.named(in.repositoryInput)
	if err != nil {
		return nil, err
	}
	if err := repos.CheckLifecycle(in.Text); err != nil {
		return nil, awserr.InvalidParameter("LifecyclePolicyText", "Lifecycle policy validation failure: "+err.Error())
	}
	repo.LifecycleText = in.Text
	out := answer(repo)
	out["lifecyclePolicyText"] = in.Text
	return out, nil
}

func getLifecyclePolicy(c *call) (any, *awserr.Error) {
	repo, err := lifecycleOf(c)
	if err != nil {
		return nil, err
	}
	out := answer(repo)
	out["lifecyclePolicyText"] = repo.LifecycleText
	return out, nil
}

func deleteLifecyclePolicy(c *call) (any, *awserr.Error) {
	repo, err := lifecycleOf(c)
	if err != nil {
		return nil, err
	}
	out := answer(repo)
	out["lifecyclePolicyText"] = repo.LifecycleText
	repo.LifecycleText = ""
	return out, nil
}

func lifecycleOf(c *call) (*repos.Repository, *awserr.Error) {
	var in repositoryInput
	if err := c.input(&in); err != nil {
		return nil, err
	}
	repo, err := c.named(in)
	if err == nil && repo.LifecycleText == "" {
		err = awserr.New("LifecyclePolicyNotFoundException",
			"Lifecycle policy does not exist for the repository with name '%s' in "+
				"the registry with id '%s'", repo.Name, repo.Key.Account)
	}
	return repo, err
}
