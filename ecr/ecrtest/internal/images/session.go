package images

import (
	"errors"
	"net/http"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awswire"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/cloud"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
)

// session is the Caller that the cloud knows: who holds a token, and uses it at a registry. The cloud is locked while it
// is in use.
type session struct {
	cloud           *cloud.Cloud
	createUnchecked bool
	http            *http.Request
	token           *identity.Token
	record          *awswire.Call
	registry        *repos.Registry
}

// Admit implements Caller.
func (s *session) Admit() Admission {
	switch {
	case s.token.Region != s.registry.Key.Region, s.cloud.Tokens.Expired(s.token):
		return Expired
	case s.token.Revoked():
		return Deleted
	case s.cloud.Quotas.Take(s.token.Who.Account(), s.record.Region, s.record.Name()) != nil:
		return Throttled
	}
	return Admitted
}

// Authorize implements Caller.
func (s *session) Authorize(action, name string) error {
	action, arn, region := "ecr:"+action, s.registry.ARN(name), s.registry.Key.Region
	ctx := awswire.Conditions(s.cloud, s.token.Who, region, s.http)
	d := s.cloud.Decide(s.token.Who, s.token.Rights(), action, arn, region, s.registry.Repositories[name], ctx)
	s.record.Resource, s.record.Decision = arn, d.String()
	if !d.Allowed {
		return errors.New(cloud.Denial(s.token.Who, action, arn, d))
	}
	return nil
}

// MayDownload implements Caller.
func (s *session) MayDownload(name string) bool {
	resource, decision := s.record.Resource, s.record.Decision
	defer func() { s.record.Resource, s.record.Decision = resource, decision }()
	return s.Authorize("GetDownloadUrlForLayer", name) == nil
}

// Repository implements Caller.
func (s *session) Repository(name string) (Repository, bool) {
	repo := s.registry.Repositories[name]
	return pushedTo{repo, s.cloud}, repo != nil
}

// CreateOnPush implements Caller.
func (s *session) CreateOnPush(name string) (Repository, error) {
	t := s.registry.Templates.For(name)
	if t == nil {
		return nil, ErrNoTemplate
	}
	if !s.createUnchecked {
		if err := s.Authorize("CreateRepository", name); err != nil {
			return nil, err
		}
	}
	now := s.cloud.Now()
	repo, err := s.registry.Create(name, repos.Settings{Mutability: t.TagMutability}, t.Tags, now, now)
	if err != nil || s.cloud.Registries.SetRepositoryPolicy(repo, t.Policy) != nil { // checked when the template was added
		return nil, ErrNoTemplate
	}
	return pushedTo{repo, s.cloud}, nil
}

// pushedTo is the Repository that the cloud knows.
type pushedTo struct {
	repo  *repos.Repository
	cloud *cloud.Cloud
}

// Tagged implements Repository.
func (r pushedTo) Tagged(tag string) string {
	if img := r.repo.Images.ByTag(tag); img != nil {
		return img.Digest
	}
	return ""
}

// Immutable implements Repository.
func (r pushedTo) Immutable(tag string) bool { return r.repo.Immutable(tag) }

// Put implements Repository.
func (r pushedTo) Put(i Image, tag string) {
	r.repo.Images.Put(repos.Image{Digest: i.Digest, MediaType: i.MediaType, Manifest: i.Manifest, Size: i.Size, Subject: i.Subject,
		Artifact: i.Artifact, Manifests: i.Manifests}, tag, r.cloud.Now())
}

// MayDelete implements Repository.
func (r pushedTo) MayDelete(reference string) error {
	if failure := r.repo.Images.Keeps(repos.IDOf(reference)); failure != nil {
		return errors.New(failure.Reason)
	}
	return nil
}

// Delete implements Repository.
func (r pushedTo) Delete(reference string) { r.repo.Images.Delete(repos.IDOf(reference)) }
