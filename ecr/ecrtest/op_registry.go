package ecrtest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

func describeRegistry(c *ecrCall) (any, *awsError) {
	reg, err := c.ownRegistry()
	if err != nil {
		return nil, err
	}
	return map[string]any{"registryId": reg.key.account, "replicationConfiguration": map[string]any{"rules": []any{}}}, nil
}

func getRegistryScanningConfiguration(c *ecrCall) (any, *awsError) {
	reg, err := c.ownRegistry()
	if err != nil {
		return nil, err
	}
	rules := []any{}
	if c.cfg.ScanningByRegistry {
		rules = append(rules, map[string]any{"scanFrequency": "SCAN_ON_PUSH",
			"repositoryFilters": []jsonFilter{{Filter: "*", FilterType: "WILDCARD"}}})
	}
	return map[string]any{"registryId": reg.key.account,
		"scanningConfiguration": map[string]any{"scanType": "BASIC", "rules": rules}}, nil
}

// getAccountSetting knows the settings' values that this server has for good.
func getAccountSetting(c *ecrCall) (any, *awsError) {
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
		return nil, invalidParameter("name", "must be one of REGISTRY_POLICY_SCOPE, BASIC_SCAN_TYPE_VERSION, BLOB_MOUNTING")
	}
	return map[string]string{"name": in.Name, "value": value}, nil
}

// template is a repository creation template; cacheRule is a pull-through cache rule.
type template struct {
	CreationTemplate
	createdAt time.Time
}

type cacheRule struct {
	prefix, upstream string
	createdAt        time.Time
}

// templateFor finds the creation template for a new repository: the one with the longest prefix, or else ROOT's.
func (reg *registry) templateFor(name string) *template {
	var best *template
	for _, t := range reg.templates {
		if !slices.Contains(t.AppliedFor, "CREATE_ON_PUSH") {
			continue
		}
		if t.Prefix == "ROOT" && best == nil ||
			strings.HasPrefix(name, t.Prefix+"/") && (best == nil || best.Prefix == "ROOT" || len(t.Prefix) > len(best.Prefix)) {
			best = t
		}
	}
	return best
}

func describeRepositoryCreationTemplates(c *ecrCall) (any, *awsError) {
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
	templates, all := byPrefix(reg.templates, in.Prefixes, func(t *template) string { return t.Prefix })
	if !all {
		return nil, errorf("TemplateNotFoundException",
			"The repository creation template does not exist in the registry with "+
				"id '%s'", reg.key.account)
	}
	out := map[string]any{"registryId": reg.key.account}
	return pageOf(out, "repositoryCreationTemplates", slices.Sorted(maps.Keys(templates)), in.paging, func(prefix string) any {
		t := templates[prefix]
		return map[string]any{
			"prefix": t.Prefix, "appliedFor": t.AppliedFor, "createdAt": timestamp(t.createdAt),
			"imageTagMutability": t.TagMutability, "repositoryPolicy": t.Policy, "resourceTags": tagList(t.Tags),
		}
	})
}

func describePullThroughCacheRules(c *ecrCall) (any, *awsError) {
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
	rules, all := byPrefix(reg.cacheRules, in.Prefixes, func(r *cacheRule) string { return r.prefix })
	if !all {
		return nil, errorf("PullThroughCacheRuleNotFoundException",
			"The pull through cache rule does not exist in the registry "+
				"with id '%s'", reg.key.account)
	}
	return pageOf(map[string]any{}, "pullThroughCacheRules", slices.Sorted(maps.Keys(rules)), in.paging, func(prefix string) any {
		rule := rules[prefix]
		return map[string]any{"ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": rule.upstream,
			"registryId": reg.key.account, "createdAt": timestamp(rule.createdAt)}
	})
}

func getSigningConfiguration(c *ecrCall) (any, *awsError) {
	reg, err := c.ownRegistry()
	if err != nil {
		return nil, err
	}
	if len(reg.signing) == 0 {
		return nil, errorf("SigningConfigurationNotFoundException", "The signing configuration does not exist in the registry with id '%s'", reg.key.account)
	}
	rules := []any{}
	for _, filters := range reg.signing {
		list := []jsonFilter{}
		for _, f := range *filters {
			list = append(list, jsonFilter{Filter: f, FilterType: "WILDCARD_MATCH"})
		}
		rules = append(rules, map[string]any{"repositoryFilters": list,
			"signingProfileArn": "arn:" + c.partition + ":signer:" + reg.key.region + ":" + reg.key.account + ":/signing-profiles/images"})
	}
	return map[string]any{"registryId": reg.key.account, "signingConfiguration": map[string]any{"rules": rules}}, nil
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
