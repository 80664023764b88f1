package oidc

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc/internal/keyset"
)

// Authenticator tells callers by their OIDC tokens, and what they may have by the rules. It is safe for concurrent use. Its methods are an
// [endpoint.Authenticate] and an [endpoint.Authorize].
type Authenticator struct {
	*timing
	logger  *slog.Logger
	issuers map[string]*issuer
	seen    remembered
}

// timing is what keys have too, which may be those of several Authenticators.
type timing struct {
	now      func() time.Time
	patience time.Duration // with a fetch of keys, discovery included
}

// issuer is one that is configured, with what is known of it.
type issuer struct {
	name, url, audience string
	rules               []*rule
	keys                *keyset.Cache
	from                keysFrom
}

// keysFrom is all that says where an issuer's keys are, and who is told that they couldn't be had.
type keysFrom struct{ name, issuer, jwksURL, jwksFile, caFile, bearerTokenFile string }

func keysOf(c Issuer) keysFrom {
	return keysFrom{name: c.Name, issuer: c.Issuer, jwksURL: c.JWKSURL, jwksFile: c.JWKSFile, caFile: c.CAFile, bearerTokenFile: c.BearerTokenFile}
}

const fetchTimeout = 10 * time.Second

// New returns an Authenticator of the issuers' tokens; it accepts none if there are no issuers. It asks nobody: an issuer's keys are fetched when its first
// token comes. To logger, nil being [slog.Default], go the configuration's warnings, now, and each failure to fetch keys.
//
// Its errors are those of each [Issuer.Validate], and of [Validate], with keys like oidc[1].audience.
func New(issuers []Issuer, logger *slog.Logger) (*Authenticator, error) {
	if logger == nil {
		logger = slog.Default()
	}
	return newAuthenticator(issuers, logger, &timing{now: time.Now, patience: fetchTimeout})
}

func newAuthenticator(issuers []Issuer, logger *slog.Logger, timed *timing) (*Authenticator, error) {
	if err := validateAll(issuers); err != nil {
		return nil, err
	}
	a := &Authenticator{timing: timed, logger: logger, issuers: map[string]*issuer{}}
	for n := range issuers {
		a.issuers[issuers[n].Issuer] = newIssuer(issuers[n], logger, timed)
	}
	return a, nil
}

func newIssuer(config Issuer, logger *slog.Logger, timed *timing) *issuer {
	for _, warning := range config.Warnings() {
		logger.Warn("OIDC callers: " + warning)
	}
	from := newFetcher(config)
	return &issuer{
		name: config.Name, url: config.Issuer, audience: config.Audience, rules: newRules(config.Rules), from: keysOf(config),
		keys: &keyset.Cache{
			Fetch: func(ctx context.Context) ([]jose.JSONWebKey, error) {
				ctx, cancel := context.WithTimeout(ctx, timed.patience)
				defer cancel()
				return from.keys(ctx)
			},
			File: config.JWKSFile != "",
			Now:  func() time.Time { return timed.now() },
			Failed: func(err error) {
				logger.Error("OIDC issuer's keys", slog.String("issuer", config.Name), slog.String("error", err.Error()))
			},
		},
	}
}

// With returns an Authenticator of these issuers, for a configuration that changed while a was in use, with the keys that a has of those of them whose name and
// whose addresses and files of keys are the same: none of their tokens has to wait for an issuer, or is refused because it can't be reached just now. What a
// remembers of tokens it doesn't take over: rules and audiences decide anew. a goes on as it was. Errors are those of [New].
func (a *Authenticator) With(issuers []Issuer) (*Authenticator, error) {
	next, err := newAuthenticator(issuers, a.logger, a.timing)
	if err != nil {
		return nil, err
	}
	for url, i := range next.issuers {
		if old := a.issuers[url]; old != nil && old.from == i.from {
			i.keys = old.keys
		}
	}
	return next, nil
}

func validateAll(issuers []Issuer) error {
	const key = "oidc"
	errs := []error{Validate(key, issuers)}
	for n := range issuers {
		err := issuers[n].Validate()
		if err == nil {
			continue
		}
		var joined interface{ Unwrap() []error }
		if errors.As(err, &joined) {
			for _, one := range joined.Unwrap() {
				var c *provider.ConfigError
				if errors.As(one, &c) {
					errs = append(errs, provider.NewConfigError(fmt.Sprintf("%s[%d].%s", key, n, c.Key), "%s", c.Problem))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// Authenticate tells who makes a request by its bearer token. Its errors are [endpoint.ErrUnauthenticated], as a [*RefusedError] if there is a token, with the reason for an operator's
// log and without anything of the token in it, and [provider.ErrUnavailable] where the issuer's keys couldn't be had, which is no fault of the token.
func (a *Authenticator) Authenticate(r *http.Request) (Caller, error) {
	secret, ok := endpoint.BearerToken(r)
	if !ok {
		return Caller{}, endpoint.ErrUnauthenticated
	}
	return a.AuthenticateToken(r.Context(), secret)
}

// AuthenticateToken is Authenticate for a token that came in another way.
func (a *Authenticator) AuthenticateToken(ctx context.Context, secret provider.Secret) (Caller, error) {
	raw := secret.Reveal()
	now := a.now()
	hash := sha256.Sum256([]byte(raw))
	if caller, ok := a.seen.get(ctx, hash, now); ok {
		return caller, nil
	}
	t, err := parse(raw)
	if err != nil {
		return Caller{}, refused("", CheckForm, err)
	}
	i := a.issuers[t.issuer]
	if i == nil {
		return Caller{}, refused("", CheckIssuer, errors.New("its issuer isn't configured"))
	}
	if err := t.checkAudience(i.audience); err != nil { // before the network is asked
		return Caller{}, refused(i.name, CheckAudience, err)
	}
	if err := t.checkTimes(now); err != nil {
		return Caller{}, refused(i.name, CheckTimes, err)
	}
	generation := i.keys.Current(ctx)
	if err := i.verify(ctx, t, now); err != nil {
		return Caller{}, err
	}
	r, fit, err := decide(i.rules, t.claims)
	if err != nil {
		return Caller{}, refused(i.name, CheckRule, err)
	}
	caller := Caller{
		subject: subjectOf(i.name, t.subject), rule: r.number, projects: r.projects(t.claims), access: r.access,
		details: []slog.Attr{
			slog.String("issuer", i.name), slog.Int("rule", r.number),
			slog.GroupAttrs("claims", append(fit, r.filled(t.claims)...)...),
		},
	}
	a.seen.put(hash, verified{caller: caller, keys: i.keys, generation: generation, expires: t.expires})
	return caller, nil
}

// verify returns nil for a token that the issuer signed, as it stands. Its issuer, audience and times have been checked.
func (i *issuer) verify(ctx context.Context, t *token, now time.Time) error {
	keys, err := i.keys.Find(ctx, t.kid, t.alg)
	if errors.Is(err, keyset.ErrUnknown) {
		return refused(i.name, CheckKey, err)
	} else if err != nil {
		return &provider.Error{Kind: provider.ErrUnavailable, Op: "fetch the keys of OIDC issuer " + i.name, RetryAfter: keyset.RetryAfter, Err: err}
	}
	if t.plain() { // go-oidc would read it twice more, to find what is known
		text := t.raw[:strings.LastIndexByte(t.raw, '.')]
		if slices.ContainsFunc(keys, func(key crypto.PublicKey) bool { return keyset.Signed(text, key, t.alg, t.signature) }) {
			return nil
		}
		return refused(i.name, CheckSignature, errWrongSignature)
	}
	verifier := oidc.NewVerifier(i.url, &signedBy{keys, t}, &oidc.Config{
		ClientID: i.audience, SupportedSigningAlgs: []string{t.alg}, Now: func() time.Time { return now.Add(-leeway) },
	})
	if _, err := verifier.Verify(ctx, t.raw); err != nil {
		return refused(i.name, CheckSignature, errWrongSignature) // the library's own words quote the token
	}
	return nil
}

var errWrongSignature = errors.New("its signature doesn't verify")

// signedBy is the key set of one token: the keys that it names.
type signedBy struct {
	keys  []crypto.PublicKey
	token *token
}

// VerifySignature is called by go-oidc, for the token alone.
func (s *signedBy) VerifySignature(_ context.Context, raw string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(s.token.alg)})
	if err != nil {
		return nil, err
	}
	for _, key := range s.keys {
		if payload, err := signed.Verify(key); err == nil && bytes.Equal(payload, s.token.payload) { // what was signed is what we read
			return payload, nil
		}
	}
	return nil, errors.New("no key fits")
}

// Authorize lets callers have what the rule that matched says; every other project is [provider.ErrNotFound], as one that doesn't exist. Whether a project exists it
// can't know: a service whose rules have templates looks that up as well, unless every name is a project.
func (a *Authenticator) Authorize(_ context.Context, c Caller, r provider.Request) error {
	if !slices.Contains(c.projects, r.Project) {
		return fmt.Errorf("%w: rules[%d], which decided, has no such project for this token", provider.ErrNotFound, c.rule)
	}
	if !c.access.Includes(r.Access) {
		return fmt.Errorf("%w: rules[%d], which decided, allows %s only", provider.ErrNotFound, c.rule, c.access)
	}
	return nil
}
