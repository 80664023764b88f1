package providertest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// A holder has a credential and uses it at the registry.
type holder struct {
	name    string
	request provider.Request
	options []remote.Option
}

// hold asks for a credential.
func (s *subject) hold(r provider.Request) holder {
	s.Helper()
	return s.holding(r, s.issue(r))
}

// holding is who was given c for r.
func (s *subject) holding(r provider.Request, c provider.Credentials) holder {
	s.Helper()
	h := holder{name: "the holder of (" + show(r) + ")", request: r}
	transport := s.Transport
	if transport == nil {
		transport = remote.DefaultTransport
	}
	h.options = []remote.Option{remote.WithContext(s.Context()), remote.WithJobs(1), remote.WithTransport(rewinding{transport})}
	auth, err := s.authenticator(c)
	if err != nil {
		s.Fatalf("%s can't authenticate: %v", h.name, err)
	}
	h.options = append(h.options, remote.WithAuth(auth))
	return h
}

// rewinding sends a request's body from its beginning: after a 401, go-containerregistry gets another token and sends a manifest again without
// it, so that the registry's refusal wouldn't show.
type rewinding struct{ http.RoundTripper }

func (t rewinding) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.GetBody == nil {
		return t.RoundTripper.RoundTrip(r)
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	again := r.Clone(r.Context())
	again.Body = body
	return t.RoundTripper.RoundTrip(again)
}

func (s *subject) authenticator(c provider.Credentials) (authn.Authenticator, error) {
	switch {
	case c.Method != provider.ClientLogin:
		return c.Authenticator()
	case s.Own == nil:
		return authn.Anonymous, nil
	default:
		return authn.Resolve(s.Context(), s.Own, c.Target)
	}
}

// holders returns one for each request for project that the provider has to serve.
func (s *subject) holders(project string) []holder {
	s.Helper()
	var hs []holder
	for _, r := range s.requests(project) {
		hs = append(hs, s.hold(r))
	}
	return hs
}

// An image that is, or is about to be, in a registry, under a tag of its own.
type image struct {
	v1.Image
	layer  v1.Layer
	digest v1.Hash
}

// newImage makes an image unlike all others. Its layer isn't compressed, which registries don't look at, and which would be
// most of the suite's work.
func (s *subject) newImage() image {
	s.Helper()
	layer := static.NewLayer([]byte(rand.Text()), types.DockerLayer)
	made, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		s.Fatal(err)
	}
	digest, err := made.Digest()
	if err != nil {
		s.Fatal(err)
	}
	return image{Image: made, layer: layer, digest: digest}
}

func (i image) tag() string { return "t" + i.digest.Hex[:16] }

// create has project's repository made, if that is needed.
func (s *subject) create(project string) {
	s.Helper()
	if s.CreateRepository == nil || s.created[project] {
		return
	}
	if err := s.CreateRepository(project); err != nil {
		s.Fatalf("the harness can't create the repository of %q: %v", project, err)
	}
	s.created[project] = true
}

// publish pushes a new image to project's repository, as its owner.
func (s *subject) publish(project string) image {
	s.Helper()
	s.create(project)
	owner, i := s.hold(provider.Request{Project: project, Access: provider.Push}), s.newImage()
	if err := owner.push(s.repository(project, provider.Client), i); err != nil {
		s.Fatalf("%s can't push its own image: %v", owner.name, err)
	}
	return i
}

// push writes i whole.
func (h holder) push(repository name.Repository, i image) error {
	return remote.Write(repository.Tag(i.tag()), i.Image, h.options...)
}

// upload writes i's layer alone.
func (h holder) upload(repository name.Repository, i image) error {
	return remote.WriteLayer(repository, i.layer, h.options...)
}

// retag writes a manifest alone, under a tag that isn't its own.
func (h holder) retag(repository name.Repository, i image) error {
	return remote.Put(repository.Tag("taken-"+i.tag()), i.Image, h.options...)
}

// head asks whether i is there.
func (h holder) head(repository name.Repository, i image) error {
	_, err := remote.Head(repository.Tag(i.tag()), h.options...)
	return err
}

// pull reads i whole.
func (h holder) pull(repository name.Repository, i image) error {
	pulled, err := remote.Image(repository.Tag(i.tag()), h.options...)
	if err != nil {
		return err
	}
	digest, err := pulled.Digest()
	if err != nil {
		return err
	}
	if digest != i.digest {
		return fmt.Errorf("pulled %v instead of %v", digest, i.digest)
	}
	return h.download(repository, i)
}

// manifest reads i's manifest by its digest.
func (h holder) manifest(repository name.Repository, i image) error {
	_, err := remote.Get(repository.Digest(i.digest.String()), h.options...)
	return err
}

// download reads i's layer.
func (h holder) download(repository name.Repository, i image) (err error) {
	digest, err := i.layer.Digest()
	if err != nil {
		return err
	}
	layer, err := remote.Layer(repository.Digest(digest.String()), h.options...)
	if err != nil {
		return err
	}
	content, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	_, err = io.Copy(io.Discard, content)
	return err
}

// mount takes i's layer from another repository, without having it.
func (h holder) mount(repository, from name.Repository, i image) error {
	layer := &remote.MountableLayer{Layer: withheld{i.layer}, Reference: from.Tag(i.tag())}
	return remote.WriteLayer(repository, layer, h.options...)
}

// withheld is a layer that one knows of without having it.
type withheld struct{ v1.Layer }

var errWithheld = errors.New("the layer isn't here")

func (withheld) Compressed() (io.ReadCloser, error) { return nil, errWithheld }

// An action is something to do at a repository that holds the image.
type action struct {
	name string
	do   func(holder, name.Repository, image) error
}

func reads() []action {
	return []action{
		{"ask for the image", holder.head},
		{"pull the image", holder.pull},
		{"get the manifest", holder.manifest},
		{"download the layer", holder.download},
	}
}

// writes are actions that need no image to be there: each is tried with a new one.
func writes() []action {
	return []action{
		{"push an image", holder.push},
		{"upload a layer", holder.upload},
	}
}

// refused reports whether the registry itself said no, which a test can't mistake for its own failure.
func refused(err error) bool {
	var e *transport.Error
	return errors.As(err, &e) &&
		slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, e.StatusCode)
}

// wantRefusal checks the outcome of what must not work.
func (s *subject) wantRefusal(h holder, what string, at name.Repository, err error) {
	s.Helper()
	switch {
	case err == nil:
		s.Errorf("%s can %s at %s", h.name, what, at)
	case !refused(err):
		s.Errorf("%s tried to %s at %s: want the registry's refusal (401, 403 or 404), got %v", h.name, what, at, err)
	}
}

// wantReads checks that h can read i, or that it can't.
func (s *subject) wantReads(h holder, repository name.Repository, i image, allowed bool) {
	s.Helper()
	for _, read := range reads() {
		err := read.do(h, repository, i)
		if !allowed {
			s.wantRefusal(h, read.name, repository, err)
		} else if err != nil {
			s.Errorf("%s can't %s at %s: %v", h.name, read.name, repository, err)
		}
	}
}

// wantNoWrites checks that h can't write to a repository that holds i.
func (s *subject) wantNoWrites(h holder, repository name.Repository, i image) {
	s.Helper()
	for _, write := range writes() {
		s.wantRefusal(h, write.name, repository, write.do(h, repository, s.newImage()))
	}
	s.wantRefusal(h, "tag the image anew", repository, h.retag(repository, i))
}
