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

func newConfigured(c config.Config, logger *slog.Logger) (configured, error) {
	tokens, err := static.New(c.Auth.Tokens, c.Exposed(), logger)
	if err != nil || len(c.Auth.OIDC) == 0 {
		return configured{tokens: tokens}, err
	}
	issued, err := oidc.New(c.Auth.OIDC, logger)
	return configured{tokens, issued}, err
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
