package ecrapi

import (
	"maps"
	"slices"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
)

func describeRegistry(c *call) (any, *awserr.Error) {
	reg, err := c.ownRegistry()
	if err != nil {
		return nil, err
	}
	return map[string]any{"registryId": reg.Key.Account, "replicationConfiguration": map[string]any{"rules": []any{}}}, nil
}

func getRegistryScanningConfiguration(c *call) (any, *awserr.Error) {
	reg, err := c.ownRegistry()
	if err != nil {
		return nil, err
	}
	rules := []any{}
	if c.cfg.ScanningByRegistry {
		rules = append(rules, map[string]any{"scanFrequency": "SCAN_ON_PUSH",
			"repositoryFilters": []jsonFilter{{Filter: "*", FilterType: "WILDCARD"}}})
	}
	return map[string]any{"registryId": reg.Key.Account,
		"scanningConfiguration": map[string]any{"scanType": "BASIC", "rules": rules}}, nil
}

// getAccountSetting knows the settings' values that this server has for good.
func getAccountSetting(c *call) (any, *awserr.Error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	if err := c.authorize("ecr:GetAccountSetting", "*", nil, nil); err != nil {
		return nil, err
	}
	value, known := map[string]string{
		"REGISTRY_POLICY_SCOPE": "V2", "BASIC_SCAN_TYPE_VERSION": "AWS_NATIVE", "BLOB_MOUNTING": "ENABLED",
	}[in.Name]
	if !known {
		return nil, awserr.InvalidParameter("name", "must be one of REGISTRY_POLICY_SCOPE, BASIC_SCAN_TYPE_VERSION, BLOB_MOUNTING")
	}
	return map[string]string{"name": in.Name, "value": value}, nil
}

func describeRepositoryCreationTemplates(c *call) (any, *awserr.Error) {
	var in struct {
		Prefixes []string `json:"prefixes"`
		paging
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	reg, err := c.ownRegistry()
	if err != nil {
		return nil, err
	}
	templates, all := byPrefix(reg.Templates, in.Prefixes, func(t *repos.Template) string { return t.Prefix })
	if !all {
		return nil, awserr.New("TemplateNotFoundException",
			"The repository creation template does not exist in the registry with "+
				"id '%s'", reg.Key.Account)
	}
	out := map[string]any{"registryId": reg.Key.Account}
	return pageOf(out, "repositoryCreationTemplates", slices.Sorted(maps.Keys(templates)), in.paging, func(prefix string) any {
		t := templates[prefix]
		return map[string]any{
			"prefix": t.Prefix, "appliedFor": t.AppliedFor, "createdAt": timestamp(t.CreatedAt),
			"imageTagMutability": t.TagMutability, "repositoryPolicy": t.Policy, "resourceTags": tagList(t.Tags),
		}
	})
}

func describePullThroughCacheRules(c *call) (any, *awserr.Error) {
	var in struct {
		RegistryID string   `json:"registryId"`
		Prefixes   []string `json:"ecrRepositoryPrefixes"`
		paging
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	reg, err := c.ownRegistry()
	if err != nil {
		return nil, err
	}
	rules, all := byPrefix(reg.CacheRules, in.Prefixes, func(r *repos.CacheRule) string { return r.Prefix })
	if !all {
		return nil, awserr.New("PullThroughCacheRuleNotFoundException",
			"The pull through cache rule does not exist in the registry "+
				"with id '%s'", reg.Key.Account)
	}
	return pageOf(map[string]any{}, "pullThroughCacheRules", slices.Sorted(maps.Keys(rules)), in.paging, func(prefix string) any {
		rule := rules[prefix]
		return map[string]any{"ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": rule.Upstream,
			"registryId": reg.Key.Account, "createdAt": timestamp(rule.CreatedAt)}
	})
}

func getSigningConfiguration(c *call) (any, *awserr.Error) {
	reg, err := c.ownRegistry()
	if err != nil {
		return nil, err
	}
	if len(reg.Signing) == 0 {
		return nil, awserr.New("SigningConfigurationNotFoundException", "The signing configuration does not exist in the registry with id '%s'", reg.Key.Account)
	}
	rules := []any{}
	for _, filters := range reg.Signing {
		list := []jsonFilter{}
		for _, f := range *filters {
			list = append(list, jsonFilter{Filter: f, FilterType: "WILDCARD_MATCH"})
		}
		rules = append(rules, map[string]any{"repositoryFilters": list,
			"signingProfileArn": "arn:" + c.cloud.Partition + ":signer:" + reg.Key.Region + ":" + reg.Key.Account + ":/signing-profiles/images"})
	}
	return map[string]any{"registryId": reg.Key.Account, "signingConfiguration": map[string]any{"rules": rules}}, nil
}

// byPrefix finds those of the wanted prefixes, and reports whether there are all of them. None wanted means each.
func byPrefix[T any](list []T, wanted []string, prefix func(T) string) (found map[string]T, all bool) {
	found = map[string]T{}
	for _, one := range list {
		if p := prefix(one); len(wanted) == 0 || slices.Contains(wanted, p) {
			found[p] = one
		}
	}
	return found, len(found) >= len(wanted)
}
