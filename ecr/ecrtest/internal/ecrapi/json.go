package ecrapi

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
)

// timestamp is awsJson's: seconds since 1970, with a fraction.
type timestamp time.Time

// MarshalJSON implements json.Marshaler.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Time(t).UnixMilli()) / 1000)
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

func (c *call) repository(r *repos.Repository) jsonRepository {
	return jsonRepository{
		ARN: r.ARN, RegistryID: r.Key.Account, Name: r.Name, URI: c.registryHost(r.Key.Account, r.Key.Region) + "/" + r.Name,
		CreatedAt: timestamp(r.CreatedAt), Mutability: r.Mutability, Filters: jsonFilters(r.Exclusions),
		Scanning: jsonScanning{r.ScanOnPush && !c.cfg.ScanningByRegistry}, Encryption: jsonEncryption{r.Encryption, r.KMSKey},
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

func exclusions(filters []jsonFilter) ([]string, *awserr.Error) {
	var out []string
	for _, f := range filters {
		if f.FilterType != "WILDCARD" {
			return nil, awserr.InvalidParameter("imageTagMutabilityExclusionFilters", "filterType must be WILDCARD")
		}
		out = append(out, f.Filter)
	}
	return out, nil
}

// jsonTag is a tag on the wire.
type jsonTag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

func tagMap(list []jsonTag) (map[string]string, *awserr.Error) {
	tags := make(map[string]string, len(list))
	for _, t := range list {
		if _, twice := tags[t.Key]; twice {
			return nil, awserr.New("InvalidTagParameterException", "Tag keys must be unique: %q", t.Key)
		}
		tags[t.Key] = t.Value
	}
	return tags, repos.CheckTags(tags)
}

func tagList(tags map[string]string) []jsonTag {
	list := make([]jsonTag, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, jsonTag{key, tags[key]})
	}
	return list
}
