// Package service is what is built from one configuration: a provider, who may ask it, and the handlers. What runs it, listens and stays is package
// server's.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/examples/internal/builders"
	"github.com/rise-deploy/rise-registry-go/examples/internal/certificate"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/suspended"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// Builder is what services have in common, whatever their configuration.
type Builder struct {
	Factory *registry.Factory
	Own     Own
	Log     *slog.Logger
	// Additions are for each provider that is built.
	Additions *builders.Additions
	// Options are the credentials endpoint's beside those of the configuration, its audit hook among them, and Exchanges the token server's hook.
	Options   []endpoint.Option
	Exchanges func(context.Context, tokenissuer.Exchange) error
}

// Service is what one configuration makes. Nothing of it changes but what its files hold.
type Service struct {
	Config   config.Config
	Provider provider.Provider
	// Credentials is the credentials endpoint.
	Credentials http.Handler
	// Tokens is the token server; nil for a type that has none.
	Tokens http.Handler
	// Certificate is that of server.tls; nil without.
	Certificate *certificate.Source

	upstream *upstream
	closed   sync.Once
	err      error // of closing
	parts    parts
}

// parts are what a service is made of beside its provider.
type parts struct {
	callers configured
	list    *suspended.List
	limits  limits
	ensures []endpoint.Option
}

// Build makes a service of a configuration that was loaded. Errors are all that is wrong with it. Close ends it.
//
// before is the service that it is going to replace, or nil. What is the same in both configurations they share, with what it has come to know: the provider
// with its credentials, who asked how often, the issuers' keys. before goes on as it was.
func (b Builder) Build(ctx context.Context, c config.Config, before *Service) (*Service, error) {
	if before == nil {
		before = &Service{}
	}
	s := &Service{Config: c}
	errs := []error{b.checkOwn(c)}
	take := func(err error) { errs = append(errs, err) }
	same := sameAs(before, c)

	if same("registry") {
		s.upstream = before.upstream.share()
	} else if p, err := b.build(ctx, c); err == nil {
		s.upstream = newUpstream(p)
	} else {
		take(err)
	}
	var err error
	s.parts.callers, err = newConfigured(c, before.parts.callers, same, b.Log)
	take(err)
	s.parts.list = before.parts.list
	if !same("auth.suspended_file") {
		s.parts.list, err = suspended.Open(c.Auth.SuspendedFile, b.Log)
		if err != nil {
			take(provider.NewConfigError("auth.suspended_file", "%v", err))
		}
	}
	s.Certificate = before.Certificate
	if !same("server.tls") {
		s.Certificate, err = openCertificate(c.Server.TLS, b.Log)
		take(err)
	}
	if s.parts.limits = before.parts.limits; !sameLimits(same) {
		s.parts.limits = newLimits(c.Server)
	}
	if s.upstream != nil {
		s.Provider = s.upstream.Provider
		s.parts.ensures = before.parts.ensures
		if !same("registry") || !same("server.ensure_repositories") {
			s.parts.ensures, err = ensures(c.Server, s.Provider)
			take(err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	b.handlers(s)
	return s, nil
}

// sameAs returns what reports whether a section of c is as it was before, when something was made of it.
func sameAs(before *Service, c config.Config) func(section string) bool {
	if before.upstream == nil { // there was none
		return func(string) bool { return false }
	}
	changed := config.Changed(before.Config, c)
	return func(section string) bool {
		return !slices.ContainsFunc(changed, func(key string) bool { return config.Below(key, section) })
	}
}

// openCertificate returns nil where there is none.
func openCertificate(files config.TLS, log *slog.Logger) (*certificate.Source, error) {
	if !files.Enabled() {
		return nil, nil
	}
	s, err := certificate.Open(files, log)
	if err != nil {
		return nil, fmt.Errorf("server.tls: %w", err)
	}
	return s, nil
}

// checkOwn is about what the program has of its own.
func (b Builder) checkOwn(c config.Config) error {
	var errs []error
	if b.Own.Callers != nil && len(c.Auth.Tokens) > 0 {
		errs = append(errs, provider.NewConfigError("auth.tokens", "must be empty: this server knows its callers by other means"))
	}
	if b.Own.Callers != nil && len(c.Auth.OIDC) > 0 {
		errs = append(errs, provider.NewConfigError("auth.oidc", "must be empty: this server knows its callers by other means"))
	}
	if section, ok := c.Registry.Section().(*ecr.Config); ok && section.ProjectIDs && b.Own.Identify == nil {
		errs = append(errs, errors.New("registry.project_ids: this server knows no ids of projects; a service that does has its own, with app.WithProjectIDs"))
	}
	return errors.Join(errs...)
}

func (b Builder) build(ctx context.Context, c config.Config) (provider.Provider, error) {
	p, err := b.Factory.Build(b.Additions.In(ctx), c.Registry)
	if err != nil && c.OwnKeys() && !b.Additions.Taken {
		err = errors.New("embedded_registry.listen: needs a factory with the " + tokenissuer.Type + " builder of package app")
	}
	return p, err
}

// handlers makes those of the credentials endpoint and, for a type that has one, of the token server.
func (b Builder) handlers(s *Service) {
	own, list := b.Own.orConfigured(s.parts.callers), s.parts.list
	opts := slices.Concat(s.parts.ensures, b.Options, s.parts.limits.guards(s.Config.Server))
	if own.Identify != nil {
		opts = append(opts, endpoint.WithProjectIDs(own.Identify))
	}
	s.Credentials = own.Callers(s.Provider, refusalOf(list), opts...)
	if issuer, ok := provider.As[*tokenissuer.Provider](s.Provider); ok {
		var logins tokenissuer.Login
		if own.Logins != nil {
			logins = own.Logins(s.Provider, refusalOf(list), opts...)
		}
		more := append(s.parts.limits.exchanges(s.Config.Server), tokenissuer.WithAudit(b.Exchanges))
		s.Tokens = issuer.Handler(stillGood(list, own), logins, more...)
	}
}

// Close ends the provider, unless another service has it too. It must not be used any more. Calls after the first return what that did.
func (s *Service) Close() error {
	s.closed.Do(func() {
		if s.upstream != nil {
			s.err = s.upstream.release()
		}
	})
	return s.err
}
