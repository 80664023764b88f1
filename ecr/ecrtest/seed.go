package ecrtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if def.Account == "" {
		def.Account = s.cfg.Account
	}
	if def.Region == "" {
		def.Region = s.cfg.Region
	}
	if def.CreatedAt.IsZero() {
		def.CreatedAt = s.now()
	}
	set := settings{mutability: def.TagMutability, exclusions: slices.Clone(def.MutabilityExclusions),
		scanOnPush: def.ScanOnPush, kmsKey: def.KMSKeyARN}
	if set.kmsKey != "" {
		set.encryption = "KMS"
	}
	if def.LifecyclePolicy != "" {
		must("repository "+def.Name+"'s lifecycle policy", checkLifecycle(def.LifecyclePolicy))
	}
	if def.Policy != "" {
		mustParse(def.Policy, iam.Repository, "repository "+def.Name+"'s policy")
	}
	if err := checkTags(def.Tags); err != nil {
		panic(fmt.Sprintf("ecrtest: repository %s: %v", def.Name, err))
	}
	repo, err := s.create(s.registry(def.Account, def.Region), def.Name, set, def.Tags, time.Time{}, def.CreatedAt)
	if err != nil {
		panic(fmt.Sprintf("ecrtest: repository %s: %v", def.Name, err))
	}
	repo.lifecycleText = def.LifecyclePolicy
	must("repository "+def.Name+"'s policy", s.setPolicy(repo, def.Policy))
}

func must(what string, err error) {
	if err != nil {
		panic(fmt.Sprintf("ecrtest: %s: %v", what, err))
	}
}

// Repository returns a repository of the server's own account and region as it is, and whether there is one of that
// name.
func (s *Server) Repository(name string) (Repository, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.registry(s.cfg.Account, s.cfg.Region).repositories[name]
	if r == nil {
		return Repository{}, false
	}
	return r.describe(), true
}

// Repositories returns all repositories of the server's own account and region, sorted by name.
func (s *Server) Repositories() []Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	reg := s.registry(s.cfg.Account, s.cfg.Region)
	out := make([]Repository, len(reg.names))
	for i, name := range reg.names {
		out[i] = reg.repositories[name].describe()
	}
	return out
}

func (r *repository) describe() Repository {
	out := Repository{
		Name: r.name, Account: r.key.account, Region: r.key.region, Tags: maps.Clone(r.currentTags()),
		TagMutability: r.mutability, MutabilityExclusions: slices.Clone(r.exclusions), ScanOnPush: r.scanOnPush,
		KMSKeyARN: r.kmsKey, LifecyclePolicy: r.lifecycleText, Policy: r.policyText, CreatedAt: r.createdAt,
		ImageDigests: slices.Sorted(maps.Keys(r.images)),
	}
	for _, img := range r.images {
		out.ImageTags = slices.AppendSeq(out.ImageTags, maps.Keys(img.tags))
	}
	slices.Sort(out.ImageTags)
	return out
}

// own finds a repository of the server's own account and region, and panics when there is none. The server is locked.
func (s *Server) own(name string) *repository {
	r := s.registry(s.cfg.Account, s.cfg.Region).repositories[name]
	if r == nil {
		panic("ecrtest: no repository " + name)
	}
	return r
}

// DeleteRepository deletes a repository of the server's own account and region with its images, without asking anybody.
// It panics when there is none.
func (s *Server) DeleteRepository(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registries[s.own(name).key].remove(name)
}

// UpdateRepository changes a repository of the server's own account and region behind everybody's back: its tags, which
// count for authorization at once, its settings, lifecycle policy, policy and creation time. Changes to other fields
// are ignored. It panics on what ECR would refuse, and when there is no such repository. change must not call the
// server's methods.
func (s *Server) UpdateRepository(name string, change func(*Repository)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.own(name)
	def := r.describe()
	change(&def)
	set := settings{mutability: def.TagMutability, exclusions: slices.Clone(def.MutabilityExclusions),
		scanOnPush: def.ScanOnPush, kmsKey: r.kmsKey, encryption: r.encryption}
	if err := set.check(); err != nil {
		panic(fmt.Sprintf("ecrtest: repository %s: %v", name, err))
	}
	if err := checkTags(def.Tags); err != nil {
		panic(fmt.Sprintf("ecrtest: repository %s: %v", name, err))
	}
	if def.LifecyclePolicy != "" {
		must("repository "+name+"'s lifecycle policy", checkLifecycle(def.LifecyclePolicy))
	}
	if def.Policy != r.policyText {
		must("repository "+name+"'s policy", s.setPolicy(r, def.Policy))
	}
	r.settings, r.lifecycleText, r.createdAt = set, def.LifecyclePolicy, def.CreatedAt
	if !maps.Equal(def.Tags, r.currentTags()) {
		r.tags = []tagVersion{{tags: maps.Clone(def.Tags)}}
	}
}

// SetRegistryPolicy sets the registry policy of the server's own account and region; "" deletes it.
func (s *Server) SetRegistryPolicy(policy string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	must("registry policy", s.setRegistryPolicy(s.registry(s.cfg.Account, s.cfg.Region), policy))
}

// CreationTemplate is a repository creation template.
type CreationTemplate struct {
	// Prefix is the prefix of the repositories' names without the slash at its end, such as "rise", or ROOT for all
	// repositories that no other template is for.
	Prefix string
	// AppliedFor are the cases: CREATE_ON_PUSH, PULL_THROUGH_CACHE, REPLICATION. Only the first has an effect here.
	AppliedFor []string
	// Tags, TagMutability and Policy are those of the repositories that it makes.
	Tags          map[string]string
	TagMutability string
	Policy        string
}

// AddCreationTemplate adds a repository creation template to the server's own account and region. The returned function
// deletes it.
func (s *Server) AddCreationTemplate(t CreationTemplate) (remove func()) {
	set := settings{mutability: t.TagMutability}
	if err := set.check(); err != nil {
		panic(fmt.Sprintf("ecrtest: creation template %s: %v", t.Prefix, err))
	}
	if t.Policy != "" {
		mustParse(t.Policy, iam.Repository, "creation template "+t.Prefix)
	}
	t.Prefix, t.TagMutability = strings.TrimSuffix(t.Prefix, "/"), set.mutability
	s.mu.Lock()
	defer s.mu.Unlock()
	reg, one := s.registry(s.cfg.Account, s.cfg.Region), &template{t, s.now()}
	reg.templates = append(reg.templates, one)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		reg.templates = slices.DeleteFunc(reg.templates, func(t *template) bool { return t == one })
	}
}

// AddPullThroughCacheRule adds a pull-through cache rule to the server's own account and region. It is only listed: the
// server pulls from nowhere. The returned function deletes it.
func (s *Server) AddPullThroughCacheRule(prefix, upstreamURL string) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reg := s.registry(s.cfg.Account, s.cfg.Region)
	one := &cacheRule{prefix: strings.TrimSuffix(prefix, "/"), upstream: upstreamURL, createdAt: s.now()}
	reg.cacheRules = append(reg.cacheRules, one)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		reg.cacheRules = slices.DeleteFunc(reg.cacheRules, func(r *cacheRule) bool { return r == one })
	}
}

// AddSigningRule adds a rule to the signing configuration of the server's own account and region: images that are pushed to
// repositories whose names match one of the filters, or to all if there is none, are to be signed by AWS Signer. It is only
// shown: the server signs nothing. The returned function deletes it.
func (s *Server) AddSigningRule(filters ...string) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reg := s.registry(s.cfg.Account, s.cfg.Region)
	reg.signing = append(reg.signing, &filters)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		reg.signing = slices.DeleteFunc(reg.signing, func(f *[]string) bool { return f == &filters })
	}
}
