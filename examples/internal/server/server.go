// Package server is the reference credentials endpoint as a program: configuration, provider, handler and what an HTTP server needs
// around them. Programs use it by package app.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/metrics"
	"github.com/rise-deploy/rise-registry-go/examples/internal/static"
	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
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
	own      Own
}

// Own is what a program that isn't the reference one has of its own. The zero Own is the reference program's.
type Own struct {
	// Endpoint makes the credentials endpoint, for callers that the program knows. Nil are those of auth.tokens.
	Endpoint func(p provider.Provider, opts ...endpoint.Option) http.Handler
	// Identify returns a project's id, for endpoint.WithProjectIDs. Nil: projects have none.
	Identify func(ctx context.Context, project string) (string, error)
}

// New does all that can fail before it serves: it is listening when it returns.
func New(ctx context.Context, factory *registry.Factory, loader configload.Loader, own Own, logger *slog.Logger) (_ *Server, err error) {
	s := &Server{logger: logger, metrics: metrics.New(), own: own}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	add := &additions{options: []ecr.Option{s.metrics.Upstream()}}
	if config.BuiltInMode(loader) == ecrLocal {
		s.aws = newLocalAWS()
		loader.LookupEnv = s.aws.lookup(loader.LookupEnv)
		add.options = append(add.options, s.aws.option())
	} else {
		add.options = append(add.options, ecr.WithLogger(logger)) // the double's own name for its registry is another
	}
	if s.config, err = config.Load(loader, factory); err != nil {
		return nil, err
	}
	if own.Endpoint != nil && len(s.config.Auth.Tokens) > 0 {
		return nil, provider.NewConfigError("auth.tokens", "must be empty: this server knows its callers by other means")
	}
	if s.provider, err = factory.Build(add.in(ctx), s.config.Registry); err != nil {
		return nil, err
	}
	section, ok := s.config.Registry.Section().(*ecr.Config)
	if ok && section.ProjectIDs && own.Identify == nil {
		return nil, errors.New("registry.project_ids: this server knows no ids of projects; a service that does has its own, with app.WithProjectIDs")
	}
	s.metrics.Provider(s.provider)
	if s.aws != nil {
		if !add.taken {
			return nil, errors.New("mode " + ecrLocal + " needs a factory with the ecr builder of package app")
		}
		if err := s.listen(ctx, "local AWS", section.RegistryHost, config.TLS{}, s.aws.server.Handler()); err != nil {
			return nil, err
		}
	}
	if address := s.config.EmbeddedRegistry.Listen; address != "" {
		if err := s.listen(ctx, "embedded registry", address, config.TLS{}, imageregistry.New(imageregistry.AllowAll)); err != nil {
			return nil, err
		}
	}
	credentials, err := s.credentials()
	if err != nil {
		return nil, err
	}
	if err := s.listen(ctx, "credentials endpoint", s.config.Server.Listen, s.config.Server.TLS, routes(credentials, s.metrics)); err != nil {
		return nil, err
	}
	s.endpoint().http.ReadTimeout, s.endpoint().http.WriteTimeout = readTimeout, writeTimeout
	return s, nil
}

func (s *Server) listen(ctx context.Context, name, address string, files config.TLS, handler http.Handler) error {
	p, err := listen(ctx, name, address, files, handler, s.logger)
	if err == nil {
		s.parts = append(s.parts, p)
	}
	return err
}

// credentials makes the handler of the credentials endpoint.
func (s *Server) credentials() (http.Handler, error) {
	opts, err := ensures(s.config.Server, s.provider)
	if err != nil {
		return nil, err
	}
	opts = append(opts, endpoint.WithAudit(s.metrics.Audit(endpoint.Log(s.logger))))
	opts = append(opts, guards(s.config.Server)...)
	if s.own.Identify != nil {
		opts = append(opts, endpoint.WithProjectIDs(s.own.Identify))
	}
	if s.own.Endpoint != nil {
		return s.own.Endpoint(s.provider, opts...), nil
	}
	tokens := static.New(s.config.Auth.Tokens)
	return endpoint.New(s.provider, tokens.Authenticate, tokens.Authorize, opts...), nil
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
		s.aws.server.Close()
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
		s.aws.server.Close()
	}
	return errors.Join(append(errs, provider.Close(s.provider))...)
}
