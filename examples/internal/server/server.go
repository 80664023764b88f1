// Package server is the reference credentials endpoint as a program: configuration, provider, handler and what an HTTP server needs
// around them. Programs use it by package app.
package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/examples/internal/audit"
	"github.com/rise-deploy/rise-registry-go/examples/internal/builders"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/ecrlocal"
	"github.com/rise-deploy/rise-registry-go/examples/internal/embedded"
	"github.com/rise-deploy/rise-registry-go/examples/internal/metrics"
	"github.com/rise-deploy/rise-registry-go/examples/internal/service"
	"github.com/rise-deploy/rise-registry-go/examples/internal/swap"
	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// Server is everything that runs: the endpoint and, if it is configured, the embedded registry, each with its listener.
type Server struct {
	logger  *slog.Logger
	loader  configload.Loader
	builder service.Builder
	// serving is what the present configuration makes. nil: New failed before there was any.
	serving *swap.Value[*service.Service]
	aws     *localAWS     // in mode ecr-local
	keys    embedded.Keys // of the embedded registry
	metrics *metrics.Metrics
	audit   *audit.Log
	health  health
	parts   []part
}

// New does all that can fail before it serves: it is listening when it returns. stream is where it logs to, and stays open.
func New(ctx context.Context, factory *registry.Factory, loader configload.Loader, own service.Own, stream *audit.Stream) (_ *Server, err error) {
	logger := stream.Logger
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
	s.loader = loader
	c, err := config.Load(loader, factory)
	if err != nil {
		return nil, err
	}
	if c.OwnKeys() {
		if s.keys, err = embedded.NewKeys(); err != nil {
			return nil, err
		}
		add.TokenIssuer = append(add.TokenIssuer, s.keys.Option())
	}
	if s.audit, err = audit.Open(c.Audit, stream.Writer, stream.Format, logger); err != nil {
		return nil, err
	}
	s.metrics.AuditLog(s.audit, stream.Writer)
	s.health.audit = s.audit.Ready
	s.builder = service.Builder{
		Factory: factory, Own: own, Log: logger, Additions: add,
		Options:   []endpoint.Option{endpoint.WithProject(projectIn), endpoint.WithAudit(s.metrics.Audit(s.audit.Event))},
		Exchanges: s.metrics.Exchanges(s.audit.Exchange),
	}
	built, err := s.builder.Build(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	s.serving = swap.New(built, built.Close)
	s.metrics.Provider(built.Provider)
	if built.Certificate != nil {
		s.metrics.Certificate(func() (time.Time, error) { return s.serving.Load().Certificate.State() })
	}
	if err := s.listenAll(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// listenAll makes the parts. What they serve is what the configuration makes by the time of each request.
func (s *Server) listenAll(ctx context.Context) error {
	now := s.serving.Load()
	c := now.Config
	if address := c.Server.MetricsListen; address != "" {
		if err := s.listen(ctx, "metrics", "server.metrics_listen", address, c.Server.TLS.Enabled(), metricsRoutes(c.Server, s.metrics, &s.health, s.forget)); err != nil {
			return err
		}
	}
	if s.aws != nil {
		if !s.builder.Additions.Taken {
			return errors.New("mode " + ecrlocal.Mode + " needs a factory with the ecr builder of package app")
		}
		section, _ := c.Registry.Section().(*ecr.Config)
		if err := s.listen(ctx, "local AWS", "RISE_REGISTRY_LISTEN", section.RegistryHost, false, s.aws.server.Handler()); err != nil {
			return err
		}
		if err := s.aws.share(section.RegistryHost); err != nil {
			return err
		}
	}
	if address := c.EmbeddedRegistry.Listen; address != "" {
		images, err := s.images(now)
		if err != nil {
			return err
		}
		if err := s.listen(ctx, "embedded registry", setting(c, "RISE_REGISTRY_LISTEN", "embedded_registry.listen"), address, false, images); err != nil {
			return err
		}
	}
	if err := s.listen(ctx, "credentials endpoint", setting(c, "RISE_LISTEN", "server.listen"), c.Server.Listen, c.Server.TLS.Enabled(),
		routes(c.Server, s.present(credentials), s.present(tokens), s.metrics, &s.health)); err != nil {
		return err
	}
	s.endpoint().http.ReadTimeout, s.endpoint().http.WriteTimeout = readTimeout, writeTimeout
	return nil
}

func credentials(now *service.Service) http.Handler { return now.Credentials }
func tokens(now *service.Service) http.Handler      { return now.Tokens }

// present serves what the present configuration makes, for the whole of a request; 404 where it makes none.
func (s *Server) present(of func(*service.Service) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		held := s.serving.Hold()
		defer held.Release()
		if handler := of(held.Value); handler != nil {
			handler.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
}

// setting is what changes an address.
func setting(c config.Config, variable, key string) string {
	if c.BuiltIn {
		return variable
	}
	return key
}

func (s *Server) listen(ctx context.Context, name, setting, address string, secure bool, handler http.Handler) error {
	var certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	if secure {
		certificate = s.certificate
	}
	p, err := listen(ctx, name, address, certificate, handler, s.serving.Load().Config.Server.Limits.OrDefault(), s.logger)
	if err != nil {
		return fmt.Errorf("%w; %s chooses another address", err, setting)
	}
	s.parts = append(s.parts, p)
	return nil
}

// certificate is that of the present configuration, which has one: whether there is TLS doesn't change.
func (s *Server) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.serving.Load().Certificate.Get(hello)
}

// images makes the embedded registry.
func (s *Server) images(now *service.Service) (http.Handler, error) {
	section, ok := now.Config.Registry.Section().(*tokenissuer.Config)
	if !ok {
		return imageregistry.New(imageregistry.AllowAll), nil
	}
	repository, err := now.Provider.Repository("any", provider.Cluster)
	if err != nil {
		return nil, err
	}
	accepted := embedded.Tokens{Keys: s.keys, Issuer: cmp.Or(section.TokenIssuer, tokenissuer.DefaultConfig().TokenIssuer), Service: cmp.Or(section.TokenService, repository.RegistryStr())}
	return embedded.New(accepted, s.present(tokens), now.Config.EmbeddedRegistry.Realm, now.Config.EmbeddedRegistry.Listen), nil
}

// endpoint is the part that listens last.
func (s *Server) endpoint() part { return s.parts[len(s.parts)-1] }

// forget lets go of all that is kept of the upstream's, which takes none of it any more: the roles were made again, say.
func (s *Server) forget() {
	held := s.serving.Hold()
	defer held.Release()
	if p, ok := provider.As[interface{ ForgetAll() }](held.Value.Provider); ok {
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
	return errors.Join(append(errs, s.release())...)
}

// release lets go of what isn't served.
func (s *Server) release() error {
	var errs []error
	if s.aws != nil {
		errs = append(errs, s.aws.close())
	}
	if s.serving != nil {
		errs = append(errs, s.serving.Close())
	}
	if s.audit != nil { // last, as requests that are left may have records
		errs = append(errs, s.audit.Close())
	}
	return errors.Join(errs...)
}
