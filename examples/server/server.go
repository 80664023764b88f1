package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/metrics"
	"github.com/rise-deploy/rise-registry-go/examples/internal/providers"
	"github.com/rise-deploy/rise-registry-go/examples/internal/static"
	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

const credentialsPath = "/api/v1/registry/credentials"

// The endpoint's own limit for a request is endpoint.DefaultTimeout; what is around it gives that time to end.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 20 * time.Second // the endpoint reads no body; uploads to the embedded registry take what they take
	writeTimeout      = endpoint.DefaultTimeout + 10*time.Second
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = endpoint.DefaultTimeout + 5*time.Second
	maxHeader         = 16 << 10
)

// server is everything that runs: the endpoint and, if it is configured, the embedded registry, each with its listener.
type server struct {
	config   config.Config
	logger   *slog.Logger
	provider provider.Provider
	aws      *localAWS // in mode ecr-local
	metrics  *metrics.Metrics
	parts    []part
}

type part struct {
	name     string
	http     *http.Server
	listener net.Listener
}

// newServer does all that can fail before it serves: it is listening when it returns.
func newServer(ctx context.Context, loader configload.Loader, logger *slog.Logger) (_ *server, err error) {
	s := &server{logger: logger, metrics: metrics.New()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	opts := []ecr.Option{s.metrics.Upstream()}
	if config.BuiltInMode(loader) == ecrLocal {
		s.aws = newLocalAWS()
		loader.LookupEnv = s.aws.lookup(loader.LookupEnv)
		opts = append(opts, s.aws.option())
	} else {
		opts = append(opts, ecr.WithLogger(logger)) // the double's own name for its registry is another
	}
	factory, err := providers.Factory(opts...)
	if err != nil {
		return nil, err
	}
	if s.config, err = config.Load(loader, factory); err != nil {
		return nil, err
	}
	if s.provider, err = factory.Build(ctx, s.config.Registry); err != nil {
		return nil, err
	}
	if section, ok := s.config.Registry.Section().(*ecr.Config); ok && section.ProjectIDs {
		return nil, errors.New("registry.project_ids: this server knows no ids of projects; a service that does has its own, with endpoint.WithProjectIDs")
	}
	s.metrics.Provider(s.provider)
	if s.aws != nil {
		if section, ok := s.config.Registry.Section().(*ecr.Config); ok {
			if err := s.listen(ctx, "local AWS", section.RegistryHost, config.TLS{}, s.aws.server.Handler()); err != nil {
				return nil, err
			}
		}
	}
	if address := s.config.EmbeddedRegistry.Listen; address != "" {
		if err := s.listen(ctx, "embedded registry", address, config.TLS{}, imageregistry.New(imageregistry.AllowAll)); err != nil {
			return nil, err
		}
	}
	routes, err := s.routes()
	if err != nil {
		return nil, err
	}
	if err := s.listen(ctx, "credentials endpoint", s.config.Server.Listen, s.config.Server.TLS, routes); err != nil {
		return nil, err
	}
	s.endpoint().http.ReadTimeout, s.endpoint().http.WriteTimeout = readTimeout, writeTimeout
	return s, nil
}

// endpoint is the part that listens last.
func (s *server) endpoint() part { return s.parts[len(s.parts)-1] }

func (s *server) listen(ctx context.Context, name, address string, files config.TLS, handler http.Handler) error {
	var secure *tls.Config
	if files.Enabled() {
		certificate, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
		if err != nil {
			return fmt.Errorf("%s: server.tls: %w", name, err)
		}
		secure = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s.parts = append(s.parts, part{name: name, listener: listener, http: &http.Server{
		Handler:           handler,
		TLSConfig:         secure,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}})
	return nil
}

func (s *server) routes() (http.Handler, error) {
	tokens := static.New(s.config.Auth.Tokens)
	opts := []endpoint.Option{endpoint.WithAudit(s.metrics.Audit(endpoint.Log(s.logger)))}
	onPush, _ := provider.As[repository.PushCreator](s.provider)
	if s.config.Server.EnsureRepositories && (onPush == nil || !onPush.CreatesOnPush()) {
		m, err := repository.ManagerOf(s.provider)
		if err != nil {
			return nil, fmt.Errorf("server.ensure_repositories: %w", err)
		}
		opts = append(opts, endpoint.WithRepositories(m))
	}
	opts = append(opts, guards(s.config.Server)...)
	mux := http.NewServeMux()
	mux.Handle(credentialsPath, endpoint.New(s.provider, tokens.Authenticate, tokens.Authorize, opts...))
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", ok) // nothing upstream is asked; a server that stops doesn't listen any more
	return mux, nil
}

// guards are the endpoint's options for who asks, and how often.
func guards(c config.Server) []endpoint.Option {
	var opts []endpoint.Option
	proxies := c.Proxies()
	if len(proxies) > 0 {
		opts = append(opts, endpoint.WithTrustedProxies(proxies...))
	}
	if l := c.RateLimits.PerAddress; l.RequestsPerSecond > 0 {
		opts = append(opts, endpoint.WithAddressLimit(endpoint.NewRateLimit(l.RequestsPerSecond, l.Burst).ByAddress(proxies...)))
	}
	if l := c.RateLimits.PerSubject; l.RequestsPerSecond > 0 {
		opts = append(opts, endpoint.WithSubjectLimit(endpoint.NewRateLimit(l.RequestsPerSecond, l.Burst).BySubject))
	}
	if c.SessionPerCaller {
		opts = append(opts, endpoint.WithSessionPerCaller())
	}
	return opts
}

func ok(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, "ok\n")
}

// serve serves until ctx ends or something fails, then lets requests in progress finish. Each signal of forget has it forget all
// credentials.
func (s *server) serve(ctx context.Context, forget <-chan os.Signal) error {
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
func (s *server) forget() {
	if p, ok := provider.As[interface{ ForgetAll() }](s.provider); ok {
		p.ForgetAll()
	}
	s.logger.Info("forgot all credentials that were kept")
}

func (p part) serve() error {
	var err error
	if p.http.TLSConfig != nil {
		err = p.http.ServeTLS(p.listener, "", "")
	} else {
		err = p.http.Serve(p.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%s: %w", p.name, err)
}

// close undoes newServer.
func (s *server) close() error {
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, p.listener.Close())
	}
	if s.aws != nil {
		s.aws.server.Close()
	}
	return errors.Join(append(errs, provider.Close(s.provider))...)
}
