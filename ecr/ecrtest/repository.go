package ecrtest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/images"
)

type registryKey struct{ account, region string }

// registry is the ECR of one account and region.
type registry struct {
	key          registryKey
	repositories map[string]*repository
	names        []string // of repositories, sorted
	policyText   string
	policy       *iam.Policy
	templates    []*template
	cacheRules   []*cacheRule
	signing      []*[]string // rules, as their filters
	pushed       *images.Registry
}

type repository struct {
	arn       string
	name      string
	key       registryKey
	createdAt time.Time
	settings
	tags          []tagVersion // the last one is current
	lifecycleText string
	policyText    string
	policy        *iam.Policy

	images map[string]*image // by digest; the first push makes it, so that many repositories take little memory
	pushed *images.Registry  // what the images hold, with that of the other repositories of its registry
}

// settings are what a repository is created with.
type settings struct {
	mutability string
	exclusions []string
	scanOnPush bool
	kmsKey     string
	encryption string // AES256, KMS or KMS_DSSE
}

var repositoryName = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)

// registry returns an account's registry in a region, made when it is first asked for.
func (s *Server) registry(account, region string) *registry {
	key := registryKey{account, region}
	reg := s.registries[key]
	if reg == nil {
		pushed := images.New(images.Config{Account: account, MountWithoutFrom: s.cfg.MountWithoutFrom})
		reg = &registry{key: key, repositories: map[string]*repository{}, pushed: pushed}
		s.registries[key] = reg
	}
	return reg
}

func (s *Server) repositoryARN(key registryKey, name string) string {
	return "arn:" + s.partition + ":ecr:" + key.region + ":" + key.account + ":repository/" + name
}

// create makes a repository, whatever the caller's rights. The tags count for authorization from then on.
func (s *Server) create(reg *registry, name string, set settings, tags map[string]string, then,
	now time.Time) (*repository, *awsError) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := set.check(); err != nil {
		return nil, err
	}
	if reg.repositories[name] != nil {
		return nil, errorf("RepositoryAlreadyExistsException",
			"The repository with name '%s' already exists in the registry "+
				"with id '%s'", name, reg.key.account)
	}
	if len(reg.names) >= s.cfg.MaxRepositories {
		return nil, errorf("LimitExceededException",
			"The maximum number of repositories per registry in the region has been "+
				"exceeded: %d", s.cfg.MaxRepositories)
	}
	r := &repository{
		arn: s.repositoryARN(reg.key, name), name: name, key: reg.key, createdAt: now, settings: set, pushed: reg.pushed,
		tags: []tagVersion{{from: then, tags: maps.Clone(tags)}},
	}
	reg.repositories[name] = r
	i, _ := slices.BinarySearch(reg.names, name)
	reg.names = slices.Insert(reg.names, i, name)
	return r, nil
}

func (reg *registry) remove(name string) {
	delete(reg.repositories, name)
	reg.pushed.DeleteRepository(name)
	if i, found := slices.BinarySearch(reg.names, name); found {
		reg.names = slices.Delete(reg.names, i, i+1)
	}
}

func checkName(name string) *awsError {
	switch n := len(name); {
	case n < 2:
		return invalidParameter("repositoryName", "must have length greater than or equal to 2")
	case n > 256:
		return invalidParameter("repositoryName", "must have length less than or equal to 256")
	case !repositoryName.MatchString(name):
		return invalidParameter("repositoryName", "must satisfy regular expression "+
			"'(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'")
	}
	return nil
}

var exclusionPattern = regexp.MustCompile(`^[0-9a-zA-Z._*-]{1,128}$`)

func (set *settings) check() *awsError {
	switch set.mutability {
	case "":
		set.mutability = "MUTABLE"
	case "MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION":
	default:
		return invalidParameter("imageTagMutability", "must be one of MUTABLE, IMMUTABLE, MUTABLE_WITH_EXCLUSION, "+
			"IMMUTABLE_WITH_EXCLUSION")
	}
	if strings.HasSuffix(set.mutability, "_WITH_EXCLUSION") != (len(set.exclusions) > 0) || len(set.exclusions) > 5 {
		return invalidParameter("imageTagMutabilityExclusionFilters",
			"must have 1 to 5 filters with a mutability that ends in "+
				"_WITH_EXCLUSION, and none otherwise")
	}
	for _, filter := range set.exclusions {
		if !exclusionPattern.MatchString(filter) || strings.Count(filter, "*") > 2 {
			return invalidParameter("imageTagMutabilityExclusionFilters", "must satisfy regular expression "+
				"'^[0-9a-zA-Z._*-]{1,128}$' with at most two wildcards")
		}
	}
	switch set.encryption {
	case "":
		set.encryption = "AES256"
	case "AES256", "KMS", "KMS_DSSE":
	default:
		return invalidParameter("encryptionConfiguration", "must be one of AES256, KMS, KMS_DSSE")
	}
	if set.kmsKey != "" && set.encryption == "AES256" {
		return invalidParameter("encryptionConfiguration", "kmsKey must not be set with AES256")
	}
	return nil
}

// immutable reports whether a tag may not be moved to another image.
func (set *settings) immutable(tag string) bool {
	immutable := strings.HasPrefix(set.mutability, "IMMUTABLE")
	for _, filter := range set.exclusions {
		if iam.Match(filter, tag) {
			return !immutable
		}
	}
	return immutable
}
