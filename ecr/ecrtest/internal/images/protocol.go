package images

import (
	"net/http"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awswire"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/cloud"
)

// Protocol is the image registry's: for each request the registry of its host, with the cloud's answers.
type Protocol struct {
	cloud           *cloud.Cloud
	contents        *Contents
	createUnchecked bool
}

// NewProtocol makes the image registry of a cloud, whose contents are these. With createUnchecked, who may push may also
// create a repository by it.
func NewProtocol(c *cloud.Cloud, contents *Contents, createUnchecked bool) *Protocol {
	return &Protocol{c, contents, createUnchecked}
}

// HasToken reports whether a request carries a token that was once issued, be it expired.
func (p *Protocol) HasToken(r *http.Request) bool {
	p.cloud.Lock()
	defer p.cloud.Unlock()
	return p.cloud.Tokens.ByPassword(Password(r)) != nil
}

// Describe implements awswire.Protocol.
func (p *Protocol) Describe(r *http.Request, _ []byte, c *awswire.Call) {
	_, c.Region = p.cloud.RegistryOfHost(r.Host)
	c.Form = r.URL.Query()
	c.Action = Action(r)
	p.cloud.Lock()
	defer p.cloud.Unlock()
	if t := p.cloud.Tokens.ByPassword(Password(r)); t != nil {
		c.AccessKeyID = t.KeyID
	}
}

// Fail implements awswire.Protocol.
func (p *Protocol) Fail(e *awserr.Error, _ *awswire.Call) awswire.Response {
	return Failure(e.Status, e.Code, e.Message)
}

// Handle implements awswire.Protocol.
func (p *Protocol) Handle(r *http.Request, body []byte, c *awswire.Call) awswire.Response {
	p.cloud.Lock()
	defer p.cloud.Unlock()
	t := p.cloud.Tokens.ByPassword(Password(r))
	if t == nil {
		return Unauthorized(r.Host)
	}
	c.Principal = t.Who.ARN()
	account, region := p.cloud.RegistryOfHost(r.Host)
	reg := p.cloud.Registries.Of(account, region)
	return p.contents.Of(reg.Key).Handle(r, body, &session{cloud: p.cloud, createUnchecked: p.createUnchecked, http: r, token: t,
		record: c, registry: reg})
}
