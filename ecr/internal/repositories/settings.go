package repositories

import (
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// Settings are a configuration's keys for repositories that no right depends on, with defaults filled in.
type Settings struct {
	// RemoveAfter is how long a released repository is kept, if it is removed at all.
	RemoveAfter time.Duration
	// Mutability is one of ECR's modes, and MutabilityExclusions the tag patterns of those that have any.
	Mutability           types.ImageTagMutability
	MutabilityExclusions []string
	// ScanOnPush tells whether images are scanned when they are pushed.
	ScanOnPush bool
	// MaxImageCount is how many images are kept, and UntaggedExpireDays for how many days those without a tag are; 0 for all and for ever.
	MaxImageCount, UntaggedExpireDays int
}

func (s Settings) scanning() *types.ImageScanningConfiguration {
	return &types.ImageScanningConfiguration{ScanOnPush: s.ScanOnPush}
}

func (s Settings) exclusionFilters() []types.ImageTagMutabilityExclusionFilter {
	var filters []types.ImageTagMutabilityExclusionFilter
	for _, pattern := range s.MutabilityExclusions {
		filters = append(filters, types.ImageTagMutabilityExclusionFilter{
			Filter: aws.String(pattern), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard,
		})
	}
	return filters
}

func encryption(key string) *types.EncryptionConfiguration {
	if key == "" {
		return nil // ECR's default: AES256
	}
	return &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeKms, KmsKey: aws.String(key)}
}

// drift are the settings of r that aren't as configured, as far as DescribeRepositories shows them. Scanning isn't looked
// at where the registry decides on it: it then reads false whatever is set.
func (s Settings) drift(r types.Repository, scansItself bool) []repository.Action {
	var drift []repository.Action
	if scan := r.ImageScanningConfiguration != nil && r.ImageScanningConfiguration.ScanOnPush; scan != s.ScanOnPush && !scansItself {
		drift = append(drift, repository.ActionScanOnPush)
	}
	if r.ImageTagMutability != s.Mutability || !slices.Equal(patterns(r.ImageTagMutabilityExclusionFilters), sorted(s.MutabilityExclusions)) {
		drift = append(drift, repository.ActionTagMutability)
	}
	return drift
}

// encryptedOtherwise tells whether r has another key than the configured one, "" for ECR's own. ECR can't change that.
func encryptedOtherwise(r types.Repository, want string) bool {
	key := ""
	if e := r.EncryptionConfiguration; e != nil && e.EncryptionType != types.EncryptionTypeAes256 {
		key = aws.ToString(e.KmsKey)
	}
	return key != want
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
func (s Settings) lifecyclePolicy() (string, error) {
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
	add := func(description string, which selection) {
		rules = append(rules, rule{len(rules) + 1, description, which, map[string]string{"type": "expire"}})
	}
	if days := s.UntaggedExpireDays; days > 0 {
		add("untagged_expire_days", selection{TagStatus: "untagged", CountType: "sinceImagePushed", CountUnit: "days", CountNumber: days})
	}
	if n := s.MaxImageCount; n > 0 { // tagStatus any must be the last rule
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
