package ecr

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

func (c Config) scanning() *types.ImageScanningConfiguration {
	return &types.ImageScanningConfiguration{ScanOnPush: *c.ScanOnPush}
}

func (c Config) exclusionFilters() []types.ImageTagMutabilityExclusionFilter {
	var filters []types.ImageTagMutabilityExclusionFilter
	for _, pattern := range c.ImageTagMutabilityExclusions {
		filters = append(filters, types.ImageTagMutabilityExclusionFilter{
			Filter: aws.String(pattern), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard,
		})
	}
	return filters
}

func (c Config) encryption() *types.EncryptionConfiguration {
	if c.KMSKeyARN == "" {
		return nil // ECR's default: AES256
	}
	return &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeKms, KmsKey: aws.String(c.KMSKeyARN)}
}

// drift are the settings of r that aren't as configured, as far as DescribeRepositories shows them. Scanning isn't looked
// at where the registry decides on it: it then reads false whatever is set.
func (c Config) drift(r types.Repository, scansItself bool) []repository.Action {
	var drift []repository.Action
	if scan := r.ImageScanningConfiguration != nil && r.ImageScanningConfiguration.ScanOnPush; scan != *c.ScanOnPush && !scansItself {
		drift = append(drift, repository.ActionScanOnPush)
	}
	if string(r.ImageTagMutability) != c.ImageTagMutability || !slices.Equal(patterns(r.ImageTagMutabilityExclusionFilters), sorted(c.ImageTagMutabilityExclusions)) {
		drift = append(drift, repository.ActionTagMutability)
	}
	return drift
}

// encryptedOtherwise tells whether r has another key than the configured one. ECR can't change that.
func (c Config) encryptedOtherwise(r types.Repository) bool {
	key := ""
	if e := r.EncryptionConfiguration; e != nil && e.EncryptionType != types.EncryptionTypeAes256 {
		key = aws.ToString(e.KmsKey)
	}
	return key != c.KMSKeyARN
}

func patterns(filters []types.ImageTagMutabilityExclusionFilter) []string {
	var all []string
	for _, f := range filters {
		all = append(all, aws.ToString(f.Filter))
	}
	return sorted(all)
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

// lifecyclePolicy is the configured one, "" for none (ECR User Guide, "Lifecycle policy properties in Amazon ECR").
func (c Config) lifecyclePolicy() (string, error) {
	type selection struct {
		TagStatus   string `json:"tagStatus"`
		CountType   string `json:"countType"`
		CountUnit   string `json:"countUnit,omitempty"`
		CountNumber int    `json:"countNumber"`
	}
	type rule struct {
		RulePriority int               `json:"rulePriority"`
		Description  string            `json:"description"`
		Selection    selection         `json:"selection"`
		Action       map[string]string `json:"action"`
	}
	var rules []rule
	add := func(description string, s selection) {
		rules = append(rules, rule{len(rules) + 1, description, s, map[string]string{"type": "expire"}})
	}
	if days := c.UntaggedExpireDays; days > 0 {
		add("untagged_expire_days", selection{TagStatus: "untagged", CountType: "sinceImagePushed", CountUnit: "days", CountNumber: days})
	}
	if n := c.MaxImageCount; n > 0 { // tagStatus any must be the last rule
		add("max_image_count", selection{TagStatus: "any", CountType: "imageCountMoreThan", CountNumber: n})
	}
	if rules == nil {
		return "", nil
	}
	text, err := json.Marshal(map[string]any{"rules": rules})
	return string(text), err
}

// sameJSON tells whether two documents hold the same, however they are written.
func sameJSON(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	var va, vb any
	return json.Unmarshal([]byte(a), &va) == nil && json.Unmarshal([]byte(b), &vb) == nil && reflect.DeepEqual(va, vb)
}
