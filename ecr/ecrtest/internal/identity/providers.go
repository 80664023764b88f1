package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
)

// Provider is an OpenID Connect provider that the home account trusts. It is never changed once made.
type Provider struct {
	ARN     string
	Issuer  string // without https://
	Account string

	audiences []string
	key       *ecdsa.PrivateKey
	now       func() time.Time
}

// claims are the ones that STS looks at.
type claims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  any    `json:"aud"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
}

// Token signs a web identity token (a JWT, ES256). The audience defaults to the provider's first.
func (p *Provider) Token(subject, audience string, lifetime time.Duration) (string, error) {
	if audience == "" {
		audience = p.audiences[0]
	}
	now := p.now()
	payload, err := json.Marshal(claims{
		Issuer: "https://" + p.Issuer, Subject: subject, Audience: []string{audience}, IssuedAt: now.Unix(),
		ExpiresAt: now.Add(lifetime).Unix(),
	})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + encode(payload)
	hash := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, p.key, hash[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	v.FillBytes(signature[32:])
	return signed + "." + encode(signature), nil
}

// Providers are those that there are.
type Providers struct {
	home  Home
	now   func() time.Time
	byARN map[string]*Provider
}

// NewProviders makes a store of providers, which all are the home account's.
func NewProviders(home Home, now func() time.Time) *Providers {
	return &Providers{home: home, now: now, byARN: map[string]*Provider{}}
}

// Add makes the account trust a provider, given by its https:// URL, for at least one audience.
func (ps *Providers) Add(issuer string, audiences []string) (*Provider, error) {
	host, found := strings.CutPrefix(issuer, "https://")
	u, err := url.Parse(issuer)
	if !found || err != nil || u.Host == "" || u.RawQuery != "" || strings.HasSuffix(issuer, "/") {
		return nil, fmt.Errorf("issuer %q must be an https:// URL without a slash at its end", issuer)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	p := &Provider{ARN: "arn:" + ps.home.Partition + ":iam::" + ps.home.Account + ":oidc-provider/" + host, Issuer: host,
		Account: ps.home.Account, audiences: slices.Clone(audiences), key: key, now: ps.now}
	ps.byARN[p.ARN] = p
	return p, nil
}

// WebIdentity is what a web identity token says, once it is verified.
type WebIdentity struct {
	Provider          *Provider
	Subject, Audience string
}

// Verify checks a web identity token as STS does.
func (ps *Providers) Verify(jwt string) (WebIdentity, *awserr.Error) {
	invalid := func(format string, args ...any) (WebIdentity, *awserr.Error) {
		return WebIdentity{}, awserr.New("InvalidIdentityToken", format, args...)
	}
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	var c claims
	for i, into := range []any{&header, &c} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			return invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
		}
	}
	host := strings.TrimPrefix(c.Issuer, "https://")
	var provider *Provider
	for _, p := range ps.byARN {
		if p.Issuer == host {
			provider = p
		}
	}
	if provider == nil {
		return invalid("No OpenIDConnect provider found in your account for %s", c.Issuer)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 64 || header.Algorithm != "ES256" {
		return invalid("Couldn't retrieve verification key from your identity provider, or the signature is invalid")
	}
	hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, v := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(&provider.key.PublicKey, hash[:], r, v) {
		return invalid("Token signature invalid")
	}
	var audience string
	switch aud := c.Audience.(type) {
	case string:
		audience = aud
	case []any:
		if len(aud) == 1 {
			audience, _ = aud[0].(string)
		}
	}
	if !slices.Contains(provider.audiences, audience) {
		return invalid("Incorrect token audience")
	}
	if now := ps.now(); now.Unix() >= c.ExpiresAt {
		return WebIdentity{}, awserr.New("ExpiredTokenException",
			"Token expired: current date/time %d must be before the expiration date/time %d", now.Unix(), c.ExpiresAt)
	}
	return WebIdentity{Provider: provider, Subject: c.Subject, Audience: audience}, nil
}
