package ecrtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
)

// SetRegistryPolicy sets the registry policy of the server's own account and region; "" deletes it.
func (s *Server) SetRegistryPolicy(policy string) {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	must(s.cloud.Registries.SetRegistryPolicy(s.registry(), policy))
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
	set := repos.Settings{Mutability: t.TagMutability}
	if err := set.Check(); err != nil {
		must(fmt.Errorf("creation template %s: %w", t.Prefix, err))
	}
	if t.Policy != "" {
		if _, err := iam.Parse(t.Policy, iam.Repository); err != nil {
			must(fmt.Errorf("creation template %s: %w", t.Prefix, err))
		}
	}
	s.cloud.Lock()
	defer s.cloud.Unlock()
	return add(s, &s.registry().Templates, &repos.Template{
		Prefix: strings.TrimSuffix(t.Prefix, "/"), AppliedFor: slices.Clone(t.AppliedFor), Tags: maps.Clone(t.Tags),
		TagMutability: set.Mutability, Policy: t.Policy, CreatedAt: s.cloud.Now(),
	})
}

// AddPullThroughCacheRule adds a pull-through cache rule to the server's own account and region. It is only listed: the
// server pulls from nowhere. The returned function deletes it.
func (s *Server) AddPullThroughCacheRule(prefix, upstreamURL string) (remove func()) {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	return add(s, &s.registry().CacheRules, &repos.CacheRule{
		Prefix: strings.TrimSuffix(prefix, "/"), Upstream: upstreamURL, CreatedAt: s.cloud.Now(),
	})
}

// AddSigningRule adds a rule to the signing configuration of the server's own account and region: images that are pushed to
// repositories whose names match one of the filters, or to all if there is none, are to be signed by AWS Signer. It is only
// shown: the server signs nothing. The returned function deletes it.
func (s *Server) AddSigningRule(filters ...string) (remove func()) {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	return add(s, &s.registry().Signing, &filters)
}

// add adds one to a list of the registry's. The cloud is locked.
func add[L ~[]*T, T any](s *Server, list *L, one *T) (remove func()) {
	*list = append(*list, one)
	return func() {
		s.cloud.Lock()
		defer s.cloud.Unlock()
		*list = slices.DeleteFunc(*list, func(other *T) bool { return other == one })
	}
}
