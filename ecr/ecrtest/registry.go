package ecrtest

import (
	"errors"
	"net/http"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/images"
)

// registryProtocol is the image registry's: the OCI distribution API with ECR's rules.
type registryProtocol struct{ *Server }

// registryOfHost takes account and region from ECR's host names, and else is the server's own.
func (s *Server) registryOfHost(host string) registryKey {
	if m := registryHostPattern.FindStringSubmatch(host); m != nil {
		return registryKey{m[1], m[2]}
	}
	return registryKey{s.cfg.Account, s.cfg.Region}
}

func (p registryProtocol) describe(r *http.Request, _ []byte, c *Call) {
	c.Region = p.registryOfHost(r.Host).region
	c.Form = r.URL.Query()
	c.Action = images.Action(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.tokens[images.Password(r)]; t != nil {
		c.AccessKeyID = t.keyID
	}
}

func (registryProtocol) fail(e *awsError, _ *Call) response {
	return answered(images.Failure(e.status, e.code, e.message))
}

func (p registryProtocol) handle(r *http.Request, body []byte, c *Call) response {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tokens[images.Password(r)]
	if t == nil {
		return answered(images.Unauthorized(r.Host))
	}
	c.Principal = t.who.arn()
	key := p.registryOfHost(r.Host)
	reg := p.registry(key.account, key.region)
	return answered(reg.pushed.Handle(r, body, &puller{p.Server, r, t, c, reg}))
}

func answered(r images.Response) response { return response{r.Status, r.Header, r.Body, r.Code} }

// puller is who holds a token, and uses it at a registry. The server is locked while it is in use.
type puller struct {
	*Server
	r     *http.Request
	token *token
	call  *Call
	reg   *registry
}

// Admit implements images.Caller.
func (x *puller) Admit() images.Admission {
	switch {
	case x.token.region != x.reg.key.region, x.expired(x.token, x.now()):
		return images.Expired
	case x.token.fixed == nil && x.token.who.deleted():
		return images.Deleted
	case x.throttle(x.token.who.account(), x.call) != nil:
		return images.Throttled
	}
	return images.Admitted
}

// Authorize implements images.Caller.
func (x *puller) Authorize(action, name string) error {
	arn := x.repositoryARN(x.reg.key, name)
	ctx := x.context(x.token.who, x.reg.key.region, x.r)
	d := x.decide(x.token.who, x.token.rights(), "ecr:"+action, arn, x.reg.key.account, x.reg.key.region, x.reg.repositories[name], ctx)
	x.call.Resource, x.call.Decision = arn, d.String()
	if !d.Allowed {
		return errors.New(denial(x.token.who, "ecr:"+action, arn, d))
	}
	return nil
}

// MayDownload implements images.Caller.
func (x *puller) MayDownload(name string) bool {
	resource, decision := x.call.Resource, x.call.Decision
	defer func() { x.call.Resource, x.call.Decision = resource, decision }()
	return x.Authorize("GetDownloadUrlForLayer", name) == nil
}

// Repository implements images.Caller.
func (x *puller) Repository(name string) (images.Repository, bool) {
	repo := x.reg.repositories[name]
	return &pushedTo{repo, x.Server}, repo != nil
}

// CreateOnPush implements images.Caller.
func (x *puller) CreateOnPush(name string) (images.Repository, error) {
	t := x.reg.templateFor(name)
	if t == nil {
		return nil, images.ErrNoTemplate
	}
	if !x.cfg.CreateOnPushUnchecked {
		if err := x.Authorize("CreateRepository", name); err != nil {
			return nil, err
		}
	}
	now := x.now()
	repo, err := x.create(x.reg, name, settings{mutability: t.TagMutability}, t.Tags, now, now)
	if err != nil || x.setPolicy(repo, t.Policy) != nil { // checked when the template was added
		return nil, images.ErrNoTemplate
	}
	return &pushedTo{repo, x.Server}, nil
}

// pushedTo is a repository that is pushed to or pulled from.
type pushedTo struct {
	*repository
	server *Server
}

// Tagged implements images.Repository.
func (r *pushedTo) Tagged(tag string) string {
	if img := r.byTag(tag); img != nil {
		return img.Digest
	}
	return ""
}

// Immutable implements images.Repository.
func (r *pushedTo) Immutable(tag string) bool { return r.immutable(tag) }

// Put implements images.Repository.
func (r *pushedTo) Put(pushed images.Image, tag string) {
	if r.images == nil {
		r.images = map[string]*image{}
	}
	img := r.images[pushed.Digest]
	if img == nil {
		img = &image{tags: map[string]bool{}, pushedAt: r.server.now()}
		r.images[pushed.Digest] = img
	}
	img.Image = pushed
	if tag != "" {
		if old := r.byTag(tag); old != nil {
			delete(old.tags, tag)
		}
		img.tags[tag] = true
	}
}

// MayDelete implements images.Repository.
func (r *pushedTo) MayDelete(reference string) error {
	id := imageIDOf(reference)
	if img, _ := r.find(id); img != nil && r.keeps(img, id.Tag) {
		return errors.New("Requested image referenced by manifest list") //nolint:staticcheck // AWS's text
	}
	return nil
}

// Delete implements images.Repository.
func (r *pushedTo) Delete(reference string) {
	id := imageIDOf(reference)
	if img, _ := r.find(id); img != nil {
		r.unreference(img, id.Tag)
	}
}
