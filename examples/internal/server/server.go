// Package server is the reference credentials endpoint as a program: configuration, provider, handler and what an HTTP server needs
// around them. Programs use it by package app.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/examples/internal/builders"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/ecrlocal"
	"github.com/rise-deploy/rise-registry-go/examples/internal/embedded"
	"github.com/rise-deploy/rise-registry-go/examples/internal/metrics"
	"github.com/rise-deploy/rise-registry-go/examples/internal/suspended"
	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// Server is everything that runs: the endpoint and, if it is configured, the embedded registry, each with its listener.
type Server struct {
	config   config.Config
	logger   *slog.Logger
	provider provider.Provider
	aws      *localAWS // in mode ecr-local
	metrics  *metrics.Metrics
	parts    []part
	// ownCallers says that the program has callers that aren't the configuration's.
	ownCallers bool
}

// New does all that can fail before it serves: it is listening when it returns.
func New(ctx context.Context, factory *registry.Factory, loader configload.Loader, own Own, logger *slog.Logger) (_ *Server, err error) {
	s := &Server{logger: logger, metrics: metrics.New()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	add := &builders.Additions{ECR: []ecr.Option{s.metrics.Upstream()}, TokenIssuer: []tokenissuer.Option{tokenissuer.WithLogger(logger)}}
	if config.BuiltInMode(loader) == ecrlocal.Mode {
		s.aws = newLocalAWS()
		loader.LookupEnv = s.aws.Lookup(loader.LookupEnv)
		add.ECR = append(add.ECR, s.aws.Option())
	} else {
		add.ECR = append(add.ECR, ecr.WithLogger(logger)) // the double's own name for its registry is another
	}
	if s.config, err = config.Load(loader, factory); err != nil {
		return nil, err
	}
	s.ownCallers = own.Callers != nil
	if s.ownCallers && len(s.config.Auth.Tokens) > 0 {
		return nil, provider.NewConfigError("auth.tokens", "must be empty: this server knows its callers by other means")
	}
	if s.ownCallers && len(s.config.Auth.OIDC) > 0 {
		return nil, provider.NewConfigError("auth.oidc", "must be empty: this server knows its callers by other means")
	}
	var keys embedded.Keys
	if s.config.OwnKeys() {
		if keys, err = embedded.NewKeys(); err != nil {
			return nil, err
		}
		add.TokenIssuer = append(add.TokenIssuer, keys.Option())
	}
	s.provider, err = factory.Build(add.In(ctx), s.config.Registry)
	if err != nil && s.config.OwnKeys() && !add.Taken {
		return nil, errors.New("embedded_registry.listen: needs a factory with the " + tokenissuer.Type + " builder of package app")
	}
	if err != nil {
		return nil, err
	}
	section, ok := s.config.Registry.Section().(*ecr.Config)
	if ok && section.ProjectIDs && own.Identify == nil {
		return nil, errors.New("registry.project_ids: this server knows no ids of projects; a service that does has its own, with app.WithProjectIDs")
	}
	s.metrics.Provider(s.provider)
	if s.aws != nil {
		if !add.Taken {
			return nil, errors.New("mode " + ecrlocal.Mode + " needs a factory with the ecr builder of package app")
		}
		if err := s.listen(ctx, "local AWS", "RISE_REGISTRY_LISTEN", section.RegistryHost, config.TLS{}, s.aws.server.Handler()); err != nil {
			return nil, err
		}
		if err := s.aws.share(section.RegistryHost); err != nil {
			return nil, err
		}
	}
	callers, err := newConfigured(s.config, s.logger)
	if err != nil {
		return nil, err
	}
	credentials, tokens, err := s.handlers(own.orConfigured(callers))
	if err != nil {
		return nil, err
	}
	if address := s.config.EmbeddedRegistry.Listen; address != "" {
		images, err := s.images(keys, tokens)
		if err != nil {
			return nil, err
		}
		if err := s.listen(ctx, "embedded registry", s.setting("RISE_REGISTRY_LISTEN", "embedded_registry.listen"), address, config.TLS{}, images); err != nil {
			return nil, err
		}
	}
	if err := s.listen(ctx, "credentials endpoint", s.setting("RISE_LISTEN", "server.listen"), s.config.Server.Listen, s.config.Server.TLS,
		routes(credentials, tokens, s.metrics)); err != nil {
		return nil, err
	}
	s.endpoint().http.ReadTimeout, s.endpoint().http.WriteTimeout = readTimeout, writeTimeout
	return s, nil
}

// setting is what changes an address.
func (s *Server) setting(variable, key string) string {
	if s.config.BuiltIn {
		return variable
	}
	return key
}

func (s *Server) listen(ctx context.Context, name, setting, address string, files config.TLS, handler http.Handler) error {
	p, err := listen(ctx, name, address, files, handler, s.logger)
	if err != nil {
		return fmt.Errorf("%w; %s chooses another address", err, setting)
	}
	s.parts = append(s.parts, p)
	return nil
}

// handlers makes those of the credentials endpoint and, for a type that has one, of the token server.
func (s *Server) handlers(own Own) (credentials, tokens http.Handler, err error) {
	list, err := suspended.Open(s.config.Auth.SuspendedFile, s.logger)
	if err != nil {
		return nil, nil, provider.NewConfigError("auth.suspended_file", "%v", err)
	}
	opts, err := ensures(s.config.Server, s.provider)
	if err != nil {
		return nil, nil, err
	}
	byAddress := addressLimit(s.config.Server)
	opts = append(opts, endpoint.WithProject(projectIn), endpoint.WithAudit(s.metrics.Audit(endpoint.Log(s.logger))))
	opts = append(opts, guards(s.config.Server, byAddress)...)
	if own.Identify != nil {
		opts = append(opts, endpoint.WithProjectIDs(own.Identify))
	}
	credentials = own.Callers(s.provider, refusalOf(list), opts...)
	if issuer, ok := provider.As[*tokenissuer.Provider](s.provider); ok {
		var logins tokenissuer.Login
		if own.Logins != nil {
			logins = own.Logins(s.provider, refusalOf(list), opts...)
		}
		audit := tokenissuer.WithAudit(s.metrics.Exchanges(tokenissuer.Log(s.logger)))
		tokens = issuer.Handler(stillGood(list, own), logins, append(exchangeLimits(s.config.Server, byAddress), audit)...)
	}
	return credentials, tokens, nil
}

// images makes the embedded registry.
func (s *Server) images(keys embedded.Keys, tokens http.Handler) (http.Handler, error) {
	section, ok := s.config.Registry.Section().(*tokenissuer.Config)
	if !ok {
		return imageregistry.New(imageregistry.AllowAll), nil
	}
	repository, err := s.provider.Repository("any", provider.Cluster)
	if err != nil {
		return nil, err
	}
	accepted := embedded.Tokens{Keys: keys, Issuer: cmp.Or(section.TokenIssuer, tokenissuer.DefaultConfig().TokenIssuer), Service: cmp.Or(section.TokenService, repository.RegistryStr())}
	return embedded.New(accepted, tokens, s.config.EmbeddedRegistry.Realm, s.config.EmbeddedRegistry.Listen), nil
}

// endpoint is the part that listens last.
func (s *Server) endpoint() part { return s.parts[len(s.parts)-1] }

// Serve serves until ctx ends or something fails, then lets requests in progress finish. Each signal of forget has it forget all
// credentials.
func (s *Server) Serve(ctx context.Context, forget <-chan os.Signal) error {
	group, running := errgroup.WithContext(ctx)
	for _, p := range s.parts {
		s.logger.Info("listening", "what", p.name, "address", p.listener.Addr().String(), "tls", p.http.TLSConfig != nil)
		group.Go(p.serve)
	}
	group.Go(func() error {
		for {
			select {
			case <-running.Done():
				return nil
			case <-forget:
				s.forget()
			}
		}
	})
	group.Go(func() error {
		<-running.Done()
		s.logger.Info("stopping")
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		var errs []error
		for i := len(s.parts) - 1; i >= 0; i-- { // the endpoint first: it names the registry
			errs = append(errs, s.parts[i].http.Shutdown(stopping))
		}
		return errors.Join(errs...)
	})
	err := group.Wait()
	if s.aws != nil {
		err = errors.Join(err, s.aws.close())
	}
	return errors.Join(err, provider.Close(s.provider))
}

// forget lets go of all that is kept of the upstream's, which takes none of it any more: the roles were made again, say.
func (s *Server) forget() {
	if p, ok := provider.As[interface{ ForgetAll() }](s.provider); ok {
		p.ForgetAll()
	}
	s.logger.Info("forgot all credentials that were kept")
}

// Close undoes New, for who doesn't serve.
func (s *Server) Close() error {
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, p.listener.Close())
	}
	if s.aws != nil {
		errs = append(errs, s.aws.close())
	}
	return errors.Join(append(errs, provider.Close(s.provider))...)
}
