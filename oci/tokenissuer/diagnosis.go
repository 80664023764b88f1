package tokenissuer

import (
	"cmp"
	"context"
	"crypto/rand"
	"iter"
	"net/http"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/internal/reach"
	checks "github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/diagnosis"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

var _ diagnosis.Diagnoser = (*Provider)(nil)

// Diagnose implements [diagnosis.Diagnoser]. The checks, in order:
//
//	signing_keys          the files match and are in use, the certificate lasts, and is of an authority of its own
//	registry              registry_url can be reached, and its realm has a form that clients can use: no plain HTTP for a registry with TLS
//	client_registry       likewise, where client_registry_url is another
//	registry_certificate  the registry's own certificate lasts
//	clock                 the registry's clock agrees with this machine's
//	challenge             the registry asks for a token, of the configured service
//	realm                 its clients go to the realm that it names, which is always the same (no autoredirect)
//	token_service         what answers there is this service, with these keys, and the login arrives
//	anonymous_access      nothing can be read anonymously
//	token                 one is taken by the registry; else why not: the clocks, the issuer, the authority, or that it doesn't arrive
//	foreign_tokens        the registry takes none that is a stranger's, has ended, or is for another service
//	other_repository      a token opens no other repository than its own
//	pull_access           for a project: a token may pull from its repository
//	push_access           and push to it; skipped without o.WriteProbe: it starts an upload, which is left to expire
//
// The registry is shown tokens for repositories that nobody has to have, and for o.Project's; what answers at the realm a grant that has ended, of which nobody has
// a use.
func (p *Provider) Diagnose(ctx context.Context, o diagnosis.Options) iter.Seq[diagnosis.Finding] {
	return diagnosis.RunChecks(ctx, func() []diagnosis.Check { return p.subject().Checks(o) })
}

func (p *Provider) subject() checks.Subject {
	s := checks.Subject{
		Cluster: p.site(provider.Cluster, "registry_url", p.config.RegistryURL),
		Clients: p.site(provider.Client, "client_registry_url", p.config.ClientRegistryURL),
		Service: p.settings.service, Issuer: p.settings.issuer, Prefix: p.settings.prefix,
		Transport: http.DefaultTransport, Keys: p.keys, Grant: p.endedGrant, Token: p.tokenOf,
		Expired: sayExpired, Forged: sayForged, Missing: sayMissing,
	}
	if s.Clients.Text == "" {
		s.Clients = s.Cluster
	}
	if t := p.options().transport; t != nil {
		s.Transport = t
	}
	return s
}

func (p *Provider) site(c provider.Consumer, key, text string) reach.Site {
	site := reach.Site{Key: key, Text: text, Insecure: p.config.Insecure}
	if repository, err := p.Repository("x", c); err == nil { // a valid name
		site.Registry = repository.Registry
	}
	return site
}

// endedGrant makes one for a project that nobody has to have.
func (p *Provider) endedGrant(made, ends time.Time) (user, password string, err error) {
	c := p.settings.claimsOf(provider.Request{Project: "rise-probe", Access: provider.Pull}, rand.Text(), made, ends)
	text, err := c.encode()
	if err != nil {
		return "", "", err
	}
	grant, err := p.keys.Ring().SignGrant(text)
	return username, grant, err
}

// tokenOf makes a token as for a client, but for what t says.
func (p *Provider) tokenOf(t checks.Token) (string, error) {
	s, ring, made := p.settings, t.Ring, t.Made
	s.issuer, s.service, s.token = cmp.Or(t.Issuer, s.issuer), cmp.Or(t.Service, s.service), cmp.Or(t.Life, s.token)
	if ring == nil {
		ring = p.keys.Ring()
	}
	if made.IsZero() {
		made = time.Now()
	}
	var granted []access
	if t.Repository != "" {
		granted = []access{{Type: "repository", Name: t.Repository, Actions: t.Actions}}
	}
	token, _, err := s.newToken(ring, "diagnosis", granted, made)
	return token, err
}
