package ecrtest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/cloud"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/ecrapi"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/images"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/podidentity"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/sts"
)

// Server is STS, ECR's API and ECR's image registry in one. All its methods are safe for concurrent use. Methods that
// set up identities and repositories panic on what is malformed, since that is a mistake in the test.
type Server struct {
	// URL serves everything, for AWS_ENDPOINT_URL.
	URL string
	// STSURL and ECRURL serve one API each, so that connections to them can be told apart.
	STSURL, ECRURL string
	// RegistryHost is the image registry's host[:port].
	RegistryHost string

	cfg       Config
	cloud     *cloud.Cloud // locked by each method that uses it, and by the protocols
	door      *door
	memory    *memoryListener
	servers   []*http.Server
	serving   sync.WaitGroup
	closing   sync.Once
	transport *http.Transport
	conns     connCounter
}

// NewServer starts a server. It panics when the configuration makes no sense or when it can't listen. Call Close when
// done.
func NewServer(cfg Config) *Server {
	cfg = cfg.withDefaults()
	contents := images.NewContents(cfg.MountWithoutFrom)
	c, err := cfg.cloud(contents)
	must(err)
	s := &Server{cfg: cfg, cloud: c, memory: newMemoryListener()}
	s.transport = &http.Transport{
		DialContext:         s.DialContext,
		DialTLSContext:      s.DialContext,
		MaxIdleConnsPerHost: 100,
	}
	listeners := s.listen()
	s.door = &door{
		now:    c.Now,
		images: images.NewProtocol(c, contents, cfg.CreateOnPushUnchecked),
		sts:    sts.New(c),
		ecr: ecrapi.New(c, ecrapi.Config{
			RegistryHost: s.RegistryHost, PlainHTTP: !cfg.InMemory && cfg.RegistryHost == "",
			ForceDeleteNeedsBatchDelete: cfg.ForceDeleteNeedsBatchDelete, ScanningByRegistry: cfg.ScanningByRegistry,
		}),
		pods: podidentity.New(c),
		done: make(chan struct{}),
	}
	for l, only := range listeners {
		server := &http.Server{Handler: s.door.handler(only), ReadHeaderTimeout: time.Minute, ErrorLog: discard}
		s.servers = append(s.servers, server)
		s.serving.Go(func() { _ = server.Serve(l) }) // ends with Close
	}
	return s
}

// listen opens the listeners, each with what it is to serve, and sets where they are.
func (s *Server) listen() map[net.Listener]service {
	listeners := map[net.Listener]service{s.memory: anyService}
	if s.cfg.InMemory {
		domain := s.cloud.Region + "." + s.cloud.DNSSuffix
		s.STSURL = "https://sts." + domain
		s.ECRURL = "https://api.ecr." + domain
		s.URL = "https://aws." + domain // any host serves everything
		s.RegistryHost = s.cloud.RegistryHost(s.cloud.Account, s.cloud.Region)
	} else {
		open := func(only service) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			must(err)
			address := l.Addr().String()
			listeners[&countingListener{Listener: l, address: address, counter: &s.conns}] = only
			return address
		}
		s.RegistryHost = open(anyService)
		s.URL = "http://" + s.RegistryHost
		s.STSURL = "http://" + open(stsService)
		s.ECRURL = "http://" + open(ecrService)
	}
	if s.cfg.RegistryHost != "" {
		s.RegistryHost = s.cfg.RegistryHost
	}
	return listeners
}

// must panics on a mistake in the test.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("ecrtest: %v", err))
	}
}

// Close stops the server and closes its connections. It waits for the listeners to end, not for requests in progress.
func (s *Server) Close() {
	s.closing.Do(func() {
		close(s.door.done)
		s.transport.CloseIdleConnections()
		for _, server := range s.servers {
			_ = server.Close()
		}
		s.serving.Wait()
	})
}

// Client returns an HTTP client over Transport.
func (s *Server) Client() *http.Client { return &http.Client{Transport: s.transport} }

// Transport reaches the server over in-memory connections, whatever host a request names, by plain HTTP also where its
// URL says https. Requests to hosts such as sts.eu-west-1.amazonaws.com or 123456789012.dkr.ecr.eu-west-1.amazonaws.com
// are answered for that service, region and account.
func (s *Server) Transport() http.RoundTripper { return s.transport }

// DialContext opens an in-memory connection to the server, for a caller's own http.Transport (as DialContext and as
// DialTLSContext, since the server speaks no TLS).
//
// One of AWS's host names in the domain of another partition is unknown, as it is to DNS.
func (s *Server) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	if host, _, err := net.SplitHostPort(address); err == nil && host != s.cfg.RegistryHost && !s.cloud.Resolves(host) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
	}
	conn, err := s.memory.dial(ctx)
	if err == nil {
		s.conns.add(address)
	}
	return conn, err
}

// Connections returns how many connections were accepted so far at an endpoint, given as URL or host[:port]; "" is all.
func (s *Server) Connections(endpoint string) int { return s.conns.count(endpoint) }

// Handler returns the handler that serves everything, for a listener of one's own.
func (s *Server) Handler() http.Handler { return s.door.handler(anyService) }

// Inject makes f happen from now on. Of several faults that match a call, the one injected first applies. The returned
// function removes it.
func (s *Server) Inject(f Fault) (remove func()) { return s.door.inject(f) }

// Calls returns the calls so far in the order of their arrival, those in progress included.
func (s *Server) Calls() []Call { return s.door.recorded() }

// ResetCalls forgets the calls so far.
func (s *Server) ResetCalls() { s.door.forget() }
