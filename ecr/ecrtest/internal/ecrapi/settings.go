package ecrapi

import "github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"

func putImageScanningConfiguration(c *call) (any, *awserr.Error) {
	var in struct {
		repositoryInput
		Scanning *jsonScanning `json:"imageScanningConfiguration"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	repo, err := c.named(in.repositoryInput)
	if err != nil {
		return nil, err
	}
	if in.Scanning == nil {
		return nil, awserr.InvalidParameter("imageScanningConfiguration", "must not be null")
	}
	if c.cfg.ScanningByRegistry {
		return nil, awserr.New("ValidationException", "This feature is disabled: scanning is configured for the registry")
	}
	repo.ScanOnPush = in.Scanning.ScanOnPush
	out := answer(repo)
	out["imageScanningConfiguration"] = jsonScanning{repo.ScanOnPush}
	return out, nil
}

func putImageTagMutability(c *call) (any, *awserr.Error) {
	var in struct {
		repositoryInput
		Mutability string       `json:"imageTagMutability"`
		Filters    []jsonFilter `json:"imageTagMutabilityExclusionFilters"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	repo, err := c.named(in.repositoryInput)
	if err != nil {
		return nil, err
	}
	changed := repo.Settings
	changed.Mutability = in.Mutability
	if changed.Exclusions, err = exclusions(in.Filters); err != nil {
		return nil, err
	}
	if in.Mutability == "" {
		return nil, awserr.InvalidParameter("imageTagMutability", "must not be null")
	}
	if err := changed.Check(); err != nil {
		return nil, err
	}
	repo.Settings = changed
	out := answer(repo)
	out["imageTagMutability"] = repo.Mutability
	if len(repo.Exclusions) > 0 {
		out["imageTagMutabilityExclusionFilters"] = jsonFilters(repo.Exclusions)
	}
	return out, nil
}
