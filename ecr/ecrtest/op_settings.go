package ecrtest

func putImageScanningConfiguration(c *ecrCall) (any, *awsError) {
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
		return nil, invalidParameter("imageScanningConfiguration", "must not be null")
	}
	if c.cfg.ScanningByRegistry {
		return nil, errorf("ValidationException", "This feature is disabled: scanning is configured for the registry")
	}
	repo.scanOnPush = in.Scanning.ScanOnPush
	out := repo.answer()
	out["imageScanningConfiguration"] = jsonScanning{repo.scanOnPush}
	return out, nil
}

func putImageTagMutability(c *ecrCall) (any, *awsError) {
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
	changed := repo.settings
	changed.mutability = in.Mutability
	if changed.exclusions, err = exclusions(in.Filters); err != nil {
		return nil, err
	}
	if in.Mutability == "" {
		return nil, invalidParameter("imageTagMutability", "must not be null")
	}
	if err := changed.check(); err != nil {
		return nil, err
	}
	repo.settings = changed
	out := repo.answer()
	out["imageTagMutability"] = repo.mutability
	if len(repo.exclusions) > 0 {
		out["imageTagMutabilityExclusionFilters"] = jsonFilters(repo.exclusions)
	}
	return out, nil
}
