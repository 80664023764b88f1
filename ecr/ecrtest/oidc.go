package ecrtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

// OIDCProvider is an OpenID Connect provider that the account trusts, such as an EKS cluster's, for IRSA.
type OIDCProvider struct {
	// ARN is what trust policies name as the Federated principal.
	ARN string
	// Issuer is the URL of the provider without https://, the prefix of its condition keys (ISS:aud, ISS:sub).
	Issuer string

	server    *Server
	account   string
	audiences []string
	key       *ecdsa.PrivateKey
}

// AddOIDCProvider makes the account trust a provider, given by its https:// URL, for the given audiences (default
// sts.amazonaws.com). The server holds the provider's key; tokens come from OIDCProvider.Token.
func (s *Server) AddOIDCProvider(issuer string, audiences ...string) *OIDCProvider {
	host, found := strings.CutPrefix(issuer, "https://")
	u, err := url.Parse(issuer)
	if !found || err != nil || u.Host == "" || u.RawQuery != "" || strings.HasSuffix(issuer, "/") {
		panic(fmt.Sprintf("ecrtest: issuer %q must be an https:// URL without a slash at its end", issuer))
	}
	if len(audiences) == 0 {
		audiences = []string{"sts.amazonaws.com"}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(fmt.Sprintf("ecrtest: %v", err))
	}
	p := &OIDCProvider{
		ARN: "arn:" + s.partition + ":iam::" + s.cfg.Account + ":oidc-provider/" + host, Issuer: host, server: s,
		account: s.cfg.Account, audiences: slices.Clone(audiences), key: key,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.providers[p.ARN] = p
	return p
}

// claims are the ones that STS looks at.
type claims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  any    `json:"aud"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
}

// Token signs a web identity token (a JWT, ES256), for AWS_WEB_IDENTITY_TOKEN_FILE. An EKS service account's subject is
// system:serviceaccount:<namespace>:<name>; audience defaults to the provider's first, lifetime to an hour.
func (p *OIDCProvider) Token(subject, audience string, lifetime time.Duration) string {
	if audience == "" {
		audience = p.audiences[0]
	}
	if lifetime == 0 {
		lifetime = time.Hour
	}
	now := p.server.now()
	payload, err := json.Marshal(claims{
		Issuer: "https://" + p.Issuer, Subject: subject, Audience: []string{audience}, IssuedAt: now.Unix(),
		ExpiresAt: now.Add(lifetime).Unix(),
	})
	if err != nil {
		panic(fmt.Sprintf("ecrtest: %v", err))
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + encode(payload)
	hash := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, p.key, hash[:])
	if err != nil {
		panic(fmt.Sprintf("ecrtest: %v", err))
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	v.FillBytes(signature[32:])
	return signed + "." + encode(signature)
}

// verifyToken checks a web identity token as STS does and returns its provider and claims.
func (s *Server) verifyToken(jwt string) (*OIDCProvider, claims, string, *awsError) {
	invalid := func(format string, args ...any) (*OIDCProvider, claims, string, *awsError) {
		return nil, claims{}, "", errorf("InvalidIdentityToken", format, args...)
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
	var provider *OIDCProvider
	for _, p := range s.providers {
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
	if now := s.now(); now.Unix() >= c.ExpiresAt {
		return nil, claims{}, "", errorf("ExpiredTokenException", "Token expired: current date/time %d must be before the "+
			"expiration date/time %d", now.Unix(), c.ExpiresAt)
	}
	return provider, c, audience, nil
}

func (p stsProtocol) assumeRoleWithWebIdentity(r *http.Request, form url.Values, c *Call) (any, *awsError) {
	q, aerr := parseRoleRequest(form)
	if aerr != nil {
		return nil, aerr
	}
	if err := checkText(form, "WebIdentityToken", "webIdentityToken", 4, 20000, nil); err != nil {
		err.message = "1 validation error detected: Value at 'webIdentityToken' has an invalid length" // not the token
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	provider, claimed, audience, aerr := p.verifyToken(form.Get("WebIdentityToken"))
	if aerr != nil {
		return nil, aerr
	}
	federated := map[string]string{provider.Issuer + ":aud": audience, provider.Issuer + ":sub": claimed.Subject}
	ctx := p.context(identity{}, c.Region, r)
	ctx.Set("sts:RoleSessionName", q.sessionName)
	for key, value := range federated {
		ctx.Set(key, value)
	}
	target := p.roles[q.roleARN]
	c.Resource = q.roleARN
	decision := iam.Decision{Layer: iam.TrustLayer}
	if target != nil && target.account == provider.account {
		decision = iam.Evaluate(iam.Request{
			Principal: iam.Principal{Federated: provider.ARN}, Action: "sts:AssumeRoleWithWebIdentity", Resource: target.arn,
			Account: target.account, Context: ctx,
		}, iam.Policies{Resource: []*iam.Policy{target.trust}, Trust: true})
	}
	c.Decision = decision.String()
	if !decision.Allowed {
		return nil, forbidden("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
	}
	if q.duration > target.def.MaxSessionDuration {
		return nil, errorf("ValidationError",
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	now := p.now().Truncate(time.Second)
	key := p.newSession(&session{
		role: target, name: q.sessionName, policies: q.policies, federated: federated, issued: now,
		expires: now.Add(q.duration),
	})
	result := newAssumedRole("AssumeRoleWithWebIdentity", key)
	result.Subject, result.Provider, result.Audience = claimed.Subject, provider.ARN, audience
	return result, nil
}
