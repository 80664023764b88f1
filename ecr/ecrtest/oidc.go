package ecrtest

import (
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
)

// OIDCProvider is an OpenID Connect provider that the account trusts, such as an EKS cluster's, for IRSA.
type OIDCProvider struct {
	// ARN is what trust policies name as the Federated principal.
	ARN string
	// Issuer is the URL of the provider without https://, the prefix of its condition keys (ISS:aud, ISS:sub).
	Issuer string

	provider *identity.Provider
}

// AddOIDCProvider makes the account trust a provider, given by its https:// URL, for the given audiences (default
// sts.amazonaws.com). The server holds the provider's key; tokens come from OIDCProvider.Token.
func (s *Server) AddOIDCProvider(issuer string, audiences ...string) *OIDCProvider {
	if len(audiences) == 0 {
		audiences = []string{"sts.amazonaws.com"}
	}
	s.cloud.Lock()
	defer s.cloud.Unlock()
	p, err := s.cloud.Providers.Add(issuer, audiences)
	must(err)
	return &OIDCProvider{ARN: p.ARN, Issuer: p.Issuer, provider: p}
}

// Token signs a web identity token (a JWT, ES256), for AWS_WEB_IDENTITY_TOKEN_FILE. An EKS service account's subject is
// system:serviceaccount:<namespace>:<name>; audience defaults to the provider's first, lifetime to an hour.
func (p *OIDCProvider) Token(subject, audience string, lifetime time.Duration) string {
	if lifetime == 0 {
		lifetime = time.Hour
	}
	token, err := p.provider.Token(subject, audience, lifetime)
	must(err)
	return token
}
