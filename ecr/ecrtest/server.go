package ecrtest

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

// TokenRights says whose policies count when an authorization token is used at the image registry. AWS doesn't document
// it.
type TokenRights uint8

const (
	// EvaluatedAtUse applies the role's or user's policies as they are when the token is used.
	EvaluatedAtUse TokenRights = iota
	// FixedAtIssue applies them as they were when the token was issued. Repositories' tags and resource-based policies
	// are always those of the moment.
	FixedAtIssue
)

// Config says what a Server stands for. The zero value is a registry of account 123456789012 in eu-west-1 that listens
// on loopback.
type Config struct {
	// Account is the account of the image registry, and of users and roles that don't name another; default
	// 123456789012.
	Account string
	// Region is the region of the endpoints and of the image registry; default eu-west-1. It decides the partition.
	Region string
	// OtherRegions are further regions that the APIs accept signatures for, each with registries of its own. They must
	// be of Region's partition.
	OtherRegions []string
	// OrganizationID is the value of aws:PrincipalOrgID for every principal; default o-ecrtest0001.
	OrganizationID string
	// ServiceControlPolicies limit every principal of every account, if there are any.
	ServiceControlPolicies []string

	// InMemory makes the server listen in memory only. Nothing but Client, Transport and DialContext reach it then, and
	// all goroutines belong to the testing/synctest bubble in which NewServer was called, if any. URLs and hosts are
	// AWS's own, such as https://sts.eu-west-1.amazonaws.com.
	InMemory bool
	// RegistryHost is the image registry's host[:port] as answers of the API name it; default: where the server
	// listens.
	RegistryHost string
	// ClockOffset is how far the server's clock is ahead of the machine's. Everything goes by the server's: what it takes
	// signatures for, when keys and tokens end, and the Date of every answer.
	ClockOffset time.Duration

	// TokenLifetime is how long authorization tokens live; default 12 h, as AWS's.
	TokenLifetime time.Duration
	// TokenDiesWithSession ends a token together with the role session that asked for it. By default it outlives the
	// session. AWS doesn't document which it is.
	TokenDiesWithSession bool
	// TokenRights says whose policies count when a token is used.
	TokenRights TokenRights
	// TagDelay is how long a change of a repository's tags takes to reach authorization. What CreateRepository (the
	// method) seeds counts at once.
	TagDelay time.Duration
	// SessionPoliciesLimitGrants makes session policies and permissions boundaries limit also what resource-based
	// policies grant to a session's ARN or to everybody. AWS documents that they don't; whether it is so on ECR isn't
	// known.
	SessionPoliciesLimitGrants bool
	// MountWithoutFrom lets a blob mount that names no source repository search all repositories that the token may
	// read. By default such a mount becomes an upload.
	MountWithoutFrom bool
	// ForceDeleteNeedsBatchDelete makes a forced DeleteRepository require ecr:BatchDeleteImage too.
	ForceDeleteNeedsBatchDelete bool
	// CreateOnPushUnchecked lets a push create a repository through a creation template with the rights to push alone.
	// By default it takes ecr:CreateRepository as well.
	CreateOnPushUnchecked bool
	// ScanningByRegistry refuses repositories' own scan configuration, as in accounts where the registry decides:
	// PutImageScanningConfiguration fails and repositories read scanOnPush: false.
	ScanningByRegistry bool
	// Quotas limit how often an account may make a call in a region. Keys are names as Call.Name has them, such as
	// "sts:AssumeRole" or "registry:PutImage"; a call that isn't listed isn't limited.
	Quotas map[string]Quota
	// MaxRepositories is the quota of repositories per account and region; default 100,000.
	MaxRepositories int
}

// Quota is a rate at which calls are answered; those beyond are throttled.
type Quota struct {
	// PerSecond is how many calls a second are answered in the long run.
	PerSecond float64
	// Burst is how many may come at once.
	Burst int
}

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
	partition string
	dnsSuffix string
	memory    *memoryListener
	servers   []*http.Server
	serving   sync.WaitGroup
	transport *http.Transport
	conns     connCounter
	scps      []*iam.Policy

	mu         sync.Mutex // guards all below
	users      map[string]*user
	roles      map[string]*role // by ARN
	keys       map[string]*credential
	tokens     map[string]*token
	registries map[registryKey]*registry
	providers  map[string]*OIDCProvider // by ARN
	pods       map[string]*pod          // by URL path
	faults     []*fault
	calls      []*Call
	buckets    map[bucketKey]*bucket
	pruneAt    int // how many keys and tokens there are when prune looks for expired ones
	closed     bool
	done       chan struct{} // closed by Close
}

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
)

// NewServer starts a server. It panics when the configuration makes no sense or when it can't listen. Call Close when
// done.
func NewServer(cfg Config) *Server {
	if cfg.Account == "" {
		cfg.Account = "123456789012"
	}
	if cfg.Region == "" {
		cfg.Region = "eu-west-1"
	}
	if cfg.OrganizationID == "" {
		cfg.OrganizationID = "o-ecrtest0001"
	}
	if cfg.TokenLifetime == 0 {
		cfg.TokenLifetime = 12 * time.Hour
	}
	if cfg.MaxRepositories == 0 {
		cfg.MaxRepositories = 100_000
	}
	if !accountPattern.MatchString(cfg.Account) {
		panic(fmt.Sprintf("ecrtest: Account %q must be 12 digits", cfg.Account))
	}
	s := &Server{
		cfg:        cfg,
		memory:     newMemoryListener(),
		users:      map[string]*user{},
		roles:      map[string]*role{},
		keys:       map[string]*credential{},
		tokens:     map[string]*token{},
		registries: map[registryKey]*registry{},
		providers:  map[string]*OIDCProvider{},
		pods:       map[string]*pod{},
		buckets:    map[bucketKey]*bucket{},
		pruneAt:    4096,
		done:       make(chan struct{}),
	}
	s.partition, s.dnsSuffix = partitionOf(cfg.Region)
	for _, region := range cfg.OtherRegions {
		if p, _ := partitionOf(region); p != s.partition {
			panic(fmt.Sprintf("ecrtest: region %s is in partition %s, not in %s's %s", region, p, cfg.Region, s.partition))
		}
	}
	for _, document := range cfg.ServiceControlPolicies {
		s.scps = append(s.scps, mustParse(document, iam.Identity, "service control policy"))
	}
	s.transport = &http.Transport{
		DialContext:         s.DialContext,
		DialTLSContext:      s.DialContext,
		MaxIdleConnsPerHost: 100,
	}
	s.listen()
	return s
}

// partitionOf asks the SDK's endpoint data for a region's partition and DNS suffix.
func partitionOf(region string) (id, dnsSuffix string) {
	if !regionPattern.MatchString(region) {
		panic(fmt.Sprintf("ecrtest: %q is no region", region))
	}
	endpoint, err := ecr.NewDefaultEndpointResolver().ResolveEndpoint(region, ecr.EndpointResolverOptions{})
	if err != nil {
		panic(fmt.Sprintf("ecrtest: region %q: %v", region, err))
	}
	return endpoint.PartitionID, strings.TrimPrefix(endpoint.URL, "https://api.ecr."+region+".")
}

func (s *Server) listen() {
	s.serve(s.memory, s.Handler())
	if s.cfg.InMemory {
		s.STSURL = "https://sts." + s.cfg.Region + "." + s.dnsSuffix
		s.ECRURL = "https://api.ecr." + s.cfg.Region + "." + s.dnsSuffix
		s.URL = "https://aws." + s.cfg.Region + "." + s.dnsSuffix // any host serves everything
		s.RegistryHost = s.cfg.Account + ".dkr.ecr." + s.cfg.Region + "." + s.dnsSuffix
	} else {
		open := func(h http.Handler) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				panic(fmt.Sprintf("ecrtest: %v", err))
			}
			address := l.Addr().String()
			s.serve(&countingListener{Listener: l, address: address, counter: &s.conns}, h)
			return address
		}
		s.RegistryHost = open(s.Handler())
		s.URL = "http://" + s.RegistryHost
		s.STSURL = "http://" + open(s.handler(stsService))
		s.ECRURL = "http://" + open(s.handler(ecrService))
	}
	if s.cfg.RegistryHost != "" {
		s.RegistryHost = s.cfg.RegistryHost
	}
}

func (s *Server) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ErrorLog: discard}
	s.servers = append(s.servers, server)
	s.serving.Go(func() { _ = server.Serve(l) }) // ends with Close
}

// Close stops the server and closes its connections. It waits for the listeners to end, not for requests in progress.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	close(s.done)
	s.mu.Unlock()
	s.transport.CloseIdleConnections()
	for _, server := range s.servers {
		_ = server.Close()
	}
	s.serving.Wait()
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
	if host, _, err := net.SplitHostPort(address); err == nil && !s.resolves(host) {
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
func (s *Server) Handler() http.Handler { return s.handler(anyService) }

// now is the server's time.
func (s *Server) now() time.Time { return time.Now().Add(s.cfg.ClockOffset) }

// randomBytes comes from crypto/rand, which never fails.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func randomSecret(n int) string { return base64.StdEncoding.EncodeToString(randomBytes(n)) }

// randomID makes ids such as AWS's AKIA…, AROA…: the prefix and 16 characters.
func randomID(prefix string) string {
	return prefix + base32.StdEncoding.EncodeToString(randomBytes(10))
}

// requestID is a random UUID.
func requestID() string {
	h := hex.EncodeToString(randomBytes(16))
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}
