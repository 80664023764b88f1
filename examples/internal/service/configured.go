package service

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/static"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

// configured are the configuration's callers: by static tokens, and by those of OIDC issuers.
type configured struct {
	tokens *static.Tokens
	issued *oidc.Authenticator // nil: no issuer is configured
}

// newConfigured returns those of c, with what those before know where that is the same: what their files hold, the issuers' keys.
func newConfigured(c config.Config, before configured, same func(section string) bool, logger *slog.Logger) (configured, error) {
	callers := before
	var errs []error
	if !same("auth.tokens") { // and who reaches the server stays
		var err error
		callers.tokens, err = static.New(c.Auth.Tokens, c.Exposed(), logger)
		errs = append(errs, err)
	}
	if !same("auth.oidc") {
		var err error
		callers.issued, err = newIssued(c.Auth.OIDC, callers.issued, logger)
		errs = append(errs, err)
	}
	return callers, errors.Join(errs...)
}

func newIssued(issuers []oidc.Issuer, before *oidc.Authenticator, logger *slog.Logger) (*oidc.Authenticator, error) {
	switch {
	case len(issuers) == 0:
		return nil, nil
	case before != nil:
		return before.With(issuers)
	default:
		return oidc.New(issuers, logger)
	}
}

// caller is one of either kind.
type caller struct {
	endpoint.Caller
	authorize func(context.Context, provider.Request) error
}

// Details are what made an OIDC token somebody's, for events.
func (c caller) Details() []slog.Attr {
	if by, ok := c.Caller.(oidc.Caller); ok {
		return by.Details()
	}
	return nil
}

func (c configured) authenticate(r *http.Request) (caller, error) {
	return c.by(r, c.tokens.Authenticate)
}

// authenticateLogin is authenticate for tokens as passwords: a static one has to be meant for that, an OIDC token is its caller's in either place.
func (c configured) authenticateLogin(r *http.Request) (caller, error) {
	return c.by(r, c.tokens.AuthenticateLogin)
}

func (c configured) by(r *http.Request, authenticate endpoint.Authenticate[static.Caller]) (caller, error) {
	known, err := authenticate(r)
	if err == nil {
		return caller{known, func(ctx context.Context, asked provider.Request) error { return c.tokens.Authorize(ctx, known, asked) }}, nil
	}
	if _, sent := endpoint.BearerToken(r); c.issued == nil || !sent || !errors.Is(err, endpoint.ErrUnauthenticated) {
		return caller{}, err
	}
	issued, err := c.issued.Authenticate(r)
	if err != nil {
		return caller{}, err
	}
	return caller{issued, func(ctx context.Context, asked provider.Request) error { return c.issued.Authorize(ctx, issued, asked) }}, nil
}

func (configured) authorize(ctx context.Context, who caller, r provider.Request) error {
	return who.authorize(ctx, r)
}
