// Package repos is what ECR keeps: the registry of an account in a region, its repositories with their settings, tags
// and policies, and the record of each image. It knows ECR's rules about them, and neither who asks nor how: nothing
// here is authorized, and nothing is locked.
package repos

import (
	"slices"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

// Registry is the ECR of one account and region.
type Registry struct {
	Key          Key
	Repositories map[string]*Repository
	Names        []string // of Repositories, sorted
	PolicyText   string
	Policy       *iam.Policy // PolicyText, parsed; nil for none
	Templates    Templates
	CacheRules   []*CacheRule
	Signing      []*[]string // rules, as their filters

	partition string
	limit     int
	content   Content
}

// NewRegistry makes an empty registry, of a partition of AWS, that holds at most limit repositories.
func NewRegistry(key Key, partition string, limit int, content Content) *Registry {
	return &Registry{Key: key, Repositories: map[string]*Repository{}, partition: partition, limit: limit, content: content}
}

// ARN is that of a repository of the registry, which need not exist.
func (reg *Registry) ARN(name string) string {
	return "arn:" + reg.partition + ":ecr:" + reg.Key.Region + ":" + reg.Key.Account + ":repository/" + name
}

// Create makes a repository at now. Its tags count for authorization from the given time on.
func (reg *Registry) Create(name string, set Settings, tags map[string]string, from, now time.Time) (*Repository, *awserr.Error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if err := set.Check(); err != nil {
		return nil, err
	}
	if reg.Repositories[name] != nil {
		return nil, awserr.New("RepositoryAlreadyExistsException",
			"The repository with name '%s' already exists in the registry with id '%s'", name, reg.Key.Account)
	}
	if len(reg.Names) >= reg.limit {
		return nil, awserr.New("LimitExceededException",
			"The maximum number of repositories per registry in the region has been exceeded: %d", reg.limit)
	}
	r := &Repository{
		ARN: reg.ARN(name), Name: name, Key: reg.Key, CreatedAt: now, Settings: set, Tags: newTags(from, tags),
		Images: Images{repository: name, content: reg.content},
	}
	reg.Repositories[name] = r
	i, _ := slices.BinarySearch(reg.Names, name)
	reg.Names = slices.Insert(reg.Names, i, name)
	return r, nil
}

// Remove drops a repository with all that is in it, if there is one of that name.
func (reg *Registry) Remove(name string) {
	delete(reg.Repositories, name)
	reg.content.DeleteRepository(name)
	if i, found := slices.BinarySearch(reg.Names, name); found {
		reg.Names = slices.Delete(reg.Names, i, i+1)
	}
}
