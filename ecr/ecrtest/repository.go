package ecrtest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
)

// Repository is a repository to seed with Server.CreateRepository, or as Server.Repository sees it.
type Repository struct {
	// Name is its name, without the registry's host.
	Name string
	// Account and Region say which registry it is in; default the server's own.
	Account, Region string
	// Tags are its tags. What CreateRepository is given counts for authorization at once.
	Tags map[string]string
	// TagMutability is MUTABLE (the default), IMMUTABLE, MUTABLE_WITH_EXCLUSION or IMMUTABLE_WITH_EXCLUSION, and
	// MutabilityExclusions the wildcard filters of the latter two.
	TagMutability        string
	MutabilityExclusions []string
	// ScanOnPush is its scan configuration.
	ScanOnPush bool
	// KMSKeyARN is the key it is encrypted with; empty for AES256.
	KMSKeyARN string
	// LifecyclePolicy and Policy are its lifecycle policy and its repository policy, as JSON; empty for none.
	LifecyclePolicy, Policy string
	// CreatedAt is when it was created; default now.
	CreatedAt time.Time
	// ImageTags and ImageDigests are those of its images, sorted. CreateRepository ignores them.
	ImageTags, ImageDigests []string
}

// CreateRepository makes a repository without asking anybody for permission. It panics on what ECR would refuse, one
// that exists included.
func (s *Server) CreateRepository(def Repository) {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	if def.Account == "" {
		def.Account = s.cloud.Account
	}
	if def.Region == "" {
		def.Region = s.cloud.Region
	}
	if def.CreatedAt.IsZero() {
		def.CreatedAt = s.cloud.Now()
	}
	set := def.settings()
	if set.KMSKey = def.KMSKeyARN; set.KMSKey != "" {
		set.Encryption = "KMS"
	}
	def.must(def.check())
	r, err := s.cloud.Registries.Of(def.Account, def.Region).Create(def.Name, set, def.Tags, time.Time{}, def.CreatedAt)
	if err != nil {
		def.must(err)
	}
	r.LifecycleText = def.LifecyclePolicy
	def.must(s.cloud.Registries.SetRepositoryPolicy(r, def.Policy))
}

func (def *Repository) settings() repos.Settings {
	return repos.Settings{Mutability: def.TagMutability, Exclusions: slices.Clone(def.MutabilityExclusions), ScanOnPush: def.ScanOnPush}
}

// check finds what ECR would refuse of tags, lifecycle policy and policy.
func (def *Repository) check() error {
	if err := repos.CheckTags(def.Tags); err != nil {
		return err
	}
	if def.LifecyclePolicy != "" {
		if err := repos.CheckLifecycle(def.LifecyclePolicy); err != nil {
			return fmt.Errorf("lifecycle policy: %w", err)
		}
	}
	if def.Policy != "" {
		if _, err := iam.Parse(def.Policy, iam.Repository); err != nil {
			return err
		}
	}
	return nil
}

func (def *Repository) must(err error) {
	if err != nil {
		must(fmt.Errorf("repository %s: %w", def.Name, err))
	}
}

// Repository returns a repository of the server's own account and region as it is, and whether there is one of that
// name.
func (s *Server) Repository(name string) (Repository, bool) {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	r := s.registry().Repositories[name]
	if r == nil {
		return Repository{}, false
	}
	return describe(r), true
}

// Repositories returns all repositories of the server's own account and region, sorted by name.
func (s *Server) Repositories() []Repository {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	reg := s.registry()
	out := make([]Repository, len(reg.Names))
	for i, name := range reg.Names {
		out[i] = describe(reg.Repositories[name])
	}
	return out
}

func describe(r *repos.Repository) Repository {
	out := Repository{
		Name: r.Name, Account: r.Key.Account, Region: r.Key.Region, Tags: maps.Clone(r.Tags.Current()),
		TagMutability: r.Mutability, MutabilityExclusions: slices.Clone(r.Exclusions), ScanOnPush: r.ScanOnPush,
		KMSKeyARN: r.KMSKey, LifecyclePolicy: r.LifecycleText, Policy: r.PolicyText, CreatedAt: r.CreatedAt,
		ImageDigests: slices.Sorted(maps.Keys(r.Images.ByDigest)),
	}
	for _, img := range r.Images.ByDigest {
		out.ImageTags = slices.AppendSeq(out.ImageTags, maps.Keys(img.Tags))
	}
	slices.Sort(out.ImageTags)
	return out
}

// registry is the server's own. The cloud is locked.
func (s *Server) registry() *repos.Registry {
	return s.cloud.Registries.Of(s.cloud.Account, s.cloud.Region)
}

// own finds a repository of the server's own account and region, and panics when there is none. The cloud is locked.
func (s *Server) own(name string) *repos.Repository {
	r := s.registry().Repositories[name]
	if r == nil {
		panic("ecrtest: no repository " + name)
	}
	return r
}

// DeleteRepository deletes a repository of the server's own account and region with its images, without asking anybody.
// It panics when there is none.
func (s *Server) DeleteRepository(name string) {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	s.cloud.Registries.Delete(s.own(name))
}

// UpdateRepository changes a repository of the server's own account and region behind everybody's back: its tags, which
// count for authorization at once, its settings, lifecycle policy, policy and creation time. Changes to other fields
// are ignored. It panics on what ECR would refuse, and when there is no such repository. change must not call the
// server's methods.
func (s *Server) UpdateRepository(name string, change func(*Repository)) {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	r := s.own(name)
	def := describe(r)
	change(&def)
	def.Name = name
	set := def.settings()
	set.KMSKey, set.Encryption = r.KMSKey, r.Encryption
	if err := set.Check(); err != nil {
		def.must(err)
	}
	def.must(def.check())
	if def.Policy != r.PolicyText {
		def.must(s.cloud.Registries.SetRepositoryPolicy(r, def.Policy))
	}
	r.Settings, r.LifecycleText, r.CreatedAt = set, def.LifecyclePolicy, def.CreatedAt
	if !maps.Equal(def.Tags, r.Tags.Current()) {
		r.Tags.Replace(def.Tags)
	}
}
