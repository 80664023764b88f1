package tokenauth

import (
	"context"
	"iter"

	"github.com/rise-deploy/rise-registry-go/oci/internal/reach"
	checks "github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/diagnosis"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/tokenserver"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

var _ diagnosis.Diagnoser = (*Provider)(nil)

// Diagnose implements [diagnosis.Diagnoser]. The checks, in order:
//
//	registry         registry_url can be reached, and asks for a token
//	client_registry  likewise, where client_registry_url is another
//	challenge        the registry sends its clients for tokens to its own host and port, or to token_url
//	token_server     what is there answers, and is no website
//	login            it takes the service's own login
//	token            the token says what it can do, for which registry, and until when
//	lifetime         and lives long enough for a push
//	pull_token       asked for pull, it is good for pull and nothing else
//	push_token       asked for push, for pull and push and nothing else; skipped where asking makes a repository (Quay), without o.WriteProbe
//	pull_login       pull_username is taken, and can only pull
//	takes_token      the registry takes the tokens of its token server
//	repository       for a project: its repository is there
//	push_access      a push can begin, and makes the repository if need be; skipped without o.WriteProbe: it starts an upload, which is left to expire
func (p *Provider) Diagnose(ctx context.Context, o diagnosis.Options) iter.Seq[diagnosis.Finding] {
	return diagnosis.RunChecks(ctx, func() []diagnosis.Check { return p.subject().Checks(o) })
}

func (p *Provider) subject() checks.Subject {
	s := p.state()
	subject := checks.Subject{
		Cluster: p.site(provider.Cluster, "registry_url", p.config.RegistryURL),
		Clients: p.site(provider.Client, "client_registry_url", p.config.ClientRegistryURL),
		Prefix:  s.prefix, ProbeProject: probeProject, Transport: s.transport,
		Challenge: s.client.Read,
		OwnToken: func(ctx context.Context, repository string) (tokenserver.Token, tokenserver.Question, error) {
			return s.ask(ctx, s.own, repository, provider.Pull)
		},
		Token: func(ctx context.Context, repository string, access provider.Access) (tokenserver.Token, tokenserver.Question, error) {
			return s.ask(ctx, s.loginFor(access), repository, access)
		},
	}
	if s.pull != nil {
		subject.ProvePull = s.pull.again
	}
	return subject
}

func (p *Provider) site(c provider.Consumer, key, text string) reach.Site {
	site := reach.Site{Key: key, Text: text, Insecure: p.config.Insecure}
	if repository, err := p.Repository(probeProject, c); err == nil { // a valid name
		site.Registry = repository.Registry
	}
	return site
}
