package service

import (
	"context"
	"net/http"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// Own is what a program that isn't the reference one has of its own. The zero Own is the reference program's.
type Own struct {
	// Callers makes the credentials endpoint, for callers that the program knows. Nil are those of the configuration's auth.
	Callers Serve[http.Handler]
	// Logins says who may use what as a password at the token server, in place of a credential. Nil with Callers is nobody, and else those of
	// the configuration's that may.
	Logins Serve[tokenissuer.Login]
	// Identify returns a project's id, for endpoint.WithProjectIDs. Nil: projects have none.
	Identify func(ctx context.Context, project string) (string, error)
	// StillGood is asked about what else may have ended a grant; nil is nothing.
	StillGood tokenissuer.StillGood
}

// A Refusal says what nobody gets, whatever right he has.
type Refusal func(provider.Request) error

// Serve makes something that serves callers: but for what is refused.
type Serve[T any] func(p provider.Provider, refusal Refusal, opts ...endpoint.Option) T

// Callers returns what makes the endpoint of these.
func Callers[C endpoint.Caller](authenticate endpoint.Authenticate[C], authorize endpoint.Authorize[C]) Serve[http.Handler] {
	return func(p provider.Provider, refusal Refusal, opts ...endpoint.Option) http.Handler {
		return endpoint.New(p, authenticate, unlessRefused(authorize, refusal), opts...)
	}
}

// Logins returns what makes the logins of these.
func Logins[C endpoint.Caller](authenticate endpoint.Authenticate[C], authorize endpoint.Authorize[C]) Serve[tokenissuer.Login] {
	return func(p provider.Provider, refusal Refusal, opts ...endpoint.Option) tokenissuer.Login {
		return endpoint.Logins(p, authenticate, unlessRefused(authorize, refusal), opts...)
	}
}

// unlessRefused asks authorize first: who has no right isn't told more.
func unlessRefused[C endpoint.Caller](authorize endpoint.Authorize[C], refusal Refusal) endpoint.Authorize[C] {
	return func(ctx context.Context, c C, r provider.Request) error {
		if err := authorize(ctx, c, r); err != nil {
			return err
		}
		return refusal(r)
	}
}

// orConfigured fills in that callers are those of the configuration, where the program has no others.
func (o Own) orConfigured(c configured) Own {
	if o.Callers == nil {
		o.Callers, o.Logins = Callers(c.authenticate, c.authorize), Logins(c.authenticateLogin, c.authorize)
	}
	return o
}
