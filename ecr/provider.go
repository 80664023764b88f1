package ecr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/internal/hostport"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/decorator"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// Provider implements [provider.Provider] for ECR. Make it with [New] or [Builder]. It is safe for concurrent use and has
// nothing to close.
type Provider struct {
	config      Config
	setup       policy.Setup
	host        name.Registry
	hostWarning *hostWarning
	// Behind a function, like a Secret's text: the SDK holds credentials, which a printer that follows pointers would show.
	clients func() clients
	// scansItself remembers that AWS leaves scanning to the registry, so that nobody tries again for each repository.
	scansItself *atomic.Bool
}

type clients struct {
	assumer *assumer
	// tokens is registry without patience: somebody waits for what it asks.
	tokens    *ecr.Client
	registry  *ecr.Client
	transport http.RoundTripper // the SDK's, for the image registry
}

var _ interface {
	provider.Provider
	provider.Typed
	repository.Manager
	diagnosis.Diagnoser
} = (*Provider)(nil)

// Option changes how [New] and [Builder] make a provider.
type Option func(*options)

type options struct {
	load   []func(*config.LoadOptions) error
	logger *slog.Logger
}

// WithLoadOptions passes options to the AWS SDK's config.LoadDefaultConfig, for example config.WithHTTPClient or
// config.WithSharedConfigProfile. What [Config] sets (region, static keys, FIPS, dual stack) wins over them.
//
// HTTP clients of the SDK's and of net/http are used as copies that follow no redirections, those of the SDK also read no more than
// 64 KiB of headers. A client of another type must see to both itself: signed requests are for nobody else.
func WithLoadOptions(load ...func(*config.LoadOptions) error) Option {
	return func(o *options) { o.load = append(o.load, load...) }
}

// WithLogger makes a provider log, as warnings and once, what [Config.Warnings] says of its configuration, and that ECR names another
// host than the one that is handed out. Default: it isn't logged. Diagnosis finds it too.
func WithLogger(logger *slog.Logger) Option { return func(o *options) { o.logger = logger } }

// Builder returns the builder of type "ecr" for registry.NewFactory. Its section is a [Config].
func Builder(opts ...Option) provider.Builder {
	return provider.NewBuilder(Type, DefaultConfig, func(ctx context.Context, c Config) (*Provider, error) {
		return New(ctx, c, opts...)
	})
}

// New makes a provider: it checks c, loads the AWS SDK's configuration and builds the clients. It calls nothing upstream.
//
// Errors are [provider.ErrMisconfigured].
func New(ctx context.Context, c Config, opts ...Option) (*Provider, error) {
	misconfigured := func(err error) error {
		return &provider.Error{Kind: provider.ErrMisconfigured, Op: "build ecr provider", Err: err}
	}
	if err := c.Validate(); err != nil {
		return nil, misconfigured(err)
	}
	c = c.withDefaults()
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	cfg, client, err := loadSTS(ctx, c, o.load)
	if err != nil {
		return nil, misconfigured(err)
	}
	controller := newController(c, client, cfg.Credentials)
	forRegistry := func(o *ecr.Options) {
		o.Retryer = newRetryer(cfg, o.Retryer)
		o.Credentials = controller.credentials
	}
	patience := func(d time.Duration) func(*ecr.Options) {
		return func(o *ecr.Options) { o.HTTPClient = impatientClient{o.HTTPClient, d} }
	}
	registry := ecr.NewFromConfig(cfg, forRegistry, patience(callTimeout))
	tokens := ecr.NewFromConfig(cfg, forRegistry, patience(attemptTimeout))
	endpoints := registry.Options().EndpointOptions
	fips := endpoints.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled
	dualStack := endpoints.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled
	for _, e := range []struct {
		variable string
		url      *string
	}{{"AWS_ENDPOINT_URL_STS", client.Options().BaseEndpoint}, {"AWS_ENDPOINT_URL_ECR", registry.Options().BaseEndpoint}} {
		if err := checkEndpoint(e.url, c.Insecure, fips || dualStack); err != nil {
			return nil, misconfigured(fmt.Errorf("the endpoint set by %s or AWS_ENDPOINT_URL %w", e.variable, err))
		}
	}
	host := c.RegistryHost
	if host == "" {
		if host, err = imageHost(c.AccountID, c.Region, fips, dualStack); err != nil {
			return nil, misconfigured(err)
		}
	}
	named, err := name.NewRegistry(host, name.StrictValidation)
	if err != nil {
		return nil, misconfigured(err)
	}
	setup, err := c.setup()
	if err != nil {
		return nil, misconfigured(err)
	}
	if o.logger != nil {
		for _, warning := range c.Warnings() {
			o.logger.LogAttrs(ctx, slog.LevelWarn, "the registry's configuration works, but isn't as it should be", slog.String("warning", warning.Error()))
		}
	}
	upstream := clients{
		assumer: &assumer{client: client, controller: controller}, tokens: tokens, registry: registry,
		transport: transportOf(cfg.HTTPClient),
	}
	return &Provider{
		config:      c,
		setup:       setup,
		host:        named,
		hostWarning: &hostWarning{logger: o.logger},
		clients:     func() clients { return upstream },
		scansItself: new(atomic.Bool),
	}, nil
}

// loadSTS loads the SDK's configuration and makes the client of STS. Whom the SDK itself asks for credentials, it asks in the same region.
func loadSTS(ctx context.Context, c Config, options []func(*config.LoadOptions) error) (aws.Config, *sts.Client, error) {
	region := cmp.Or(c.STSRegion, c.Region)
	for {
		cfg, err := loadAWSConfig(ctx, c, region, options)
		if err != nil {
			return aws.Config{}, nil, fmt.Errorf("the AWS SDK's own configuration (AWS_* variables, ~/.aws/config): %w", newLocalCause(err))
		}
		client := sts.NewFromConfig(cfg, func(o *sts.Options) {
			o.Retryer = newRetryer(cfg, o.Retryer)
			o.HTTPClient = impatientClient{o.HTTPClient, attemptTimeout}
		})
		named := stsRegionOf(client.Options().BaseEndpoint)
		switch {
		case named == "" || named == region:
			cfg.Region = c.Region
			return cfg, client, nil
		case c.STSRegion != "" || region != c.Region:
			return aws.Config{}, nil, fmt.Errorf("the endpoint set by AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL is of region %s, and sts_region is another: correct one of them", named)
		}
		region = named
	}
}

func loadAWSConfig(ctx context.Context, c Config, region string, options []func(*config.LoadOptions) error) (aws.Config, error) {
	load := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}), // else the SDK writes to stderr
		config.WithHTTPClient(connecting()),
	}
	load = append(load, options...)
	load = append(load, config.WithRegion(region), boundedSources, safeClients,
		config.WithAPIOptions(append(checkedSessions(), boundedResponses, completeAnswers, namedSources, rememberSent, fewPages())))
	if !c.AccessKeyID.IsZero() {
		load = append(load, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(
			c.AccessKeyID.Reveal(), c.SecretAccessKey.Reveal(), c.SessionToken.Reveal())))
	}
	if c.UseFIPS {
		load = append(load, config.WithUseFIPSEndpoint(aws.FIPSEndpointStateEnabled))
	}
	if c.UseDualStack {
		load = append(load, config.WithUseDualStackEndpoint(aws.DualStackEndpointStateEnabled))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return aws.Config{}, err
	}
	cfg.HTTPClient = keepingClient{unbounded(cfg.HTTPClient)}
	return cfg, nil
}

// checkEndpoint says what is wrong with a custom endpoint, without its text: it may hold a login.
func checkEndpoint(endpoint *string, insecure, variant bool) error {
	if endpoint == nil {
		return nil
	}
	u, err := url.Parse(*endpoint)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return errors.New("must be an http or https URL")
	case u.User != nil:
		return errors.New("must not hold a login")
	case variant:
		return errors.New("can't be combined with use_fips or use_dual_stack: the AWS SDK refuses that")
	case u.Scheme == "http" && !insecure && !hostport.IsLoopback(u.Hostname()):
		return errors.New("is plain HTTP and not on loopback: use https, or declare it with insecure: true")
	}
	return nil
}

// Type returns "ecr".
func (p *Provider) Type() string { return Type }

// Repository returns <host>/<repo_prefix><project>; consumers don't matter. Errors are [provider.ErrInvalidRequest].
func (p *Provider) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	if err := provider.ValidateProject(project); err != nil {
		return name.Repository{}, err
	}
	if err := consumer.Validate(); err != nil {
		return name.Repository{}, err
	}
	return p.host.Repo(p.config.RepoPrefix + project), nil
}

// Credentials assumes the push role (the pull role for all projects) with a session policy for exactly r and asks ECR for
// a token with that session: a user name and a password for docker login. It expires when the token or the session does,
// whichever is sooner: each lives as long as AWS says by AWS's clock, at most for what was asked, from before it was asked for, so
// that ExpiresAt is right by this machine's clock wherever that is. An answer that is about another session, role, account or
// region, or that has no Date, is [provider.ErrBadResponse].
//
// Its details, and those of an error as far as it came, lead to AWS CloudTrail: session_name and session_access_key_id, which
// CloudTrail shows with whatever the credential is used for, and sts_request_id and ecr_request_id, the request ids of
// AssumeRole and GetAuthorizationToken. A refused call's own is request_id.
//
// Beside the errors that every provider has: [provider.ErrUnsupported] for all projects without a pull role,
// [provider.ErrAccessDenied] when AWS refuses our identity, its rights or the role's trust, [provider.ErrMisconfigured]
// when AWS refuses a configured value or there are no AWS credentials, [provider.ErrThrottled],
// [provider.ErrUnavailable], [provider.ErrTimeout] and [provider.ErrBadResponse].
func (p *Provider) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	input, err := assumeRoleInput(p.setup, r)
	if err != nil {
		return provider.Credentials{}, err
	}
	upstream := p.clients()
	details := append(make([]slog.Attr, 0, 4), slog.String("session_name", aws.ToString(input.RoleSessionName)))
	failed := func(ctx context.Context, op string, err error, secrets []string) (provider.Credentials, error) {
		failure := classify(ctx, p.setup, op, r.Project, err, secrets...)
		failure.Details = append(details, failure.Details...)
		return provider.Credentials{}, failure
	}
	assuming := p.noteThrottling(ctx, opAssumeRole(r), r.Project, upstream.assumer.controller.secrets)
	assumed, err := upstream.assumer.assume(assuming, input)
	if err != nil {
		return failed(assuming, opAssumeRole(r), err, upstream.assumer.controller.secrets())
	}
	details = append(details, assumed.details()...)
	asking := p.noteThrottling(ctx, opToken, r.Project, assumed.secrets)
	issued, err := p.getToken(asking, assumed)
	if err != nil {
		return failed(asking, opToken, err, assumed.secrets())
	}
	p.checkProxyEndpoint(ctx, issued.proxyEndpoint)
	c := provider.Credentials{
		Target:    p.host,
		Access:    r.Access,
		Method:    provider.LoginCredentials,
		Username:  issued.username,
		Password:  issued.password,
		ExpiresAt: issued.expiresAt,
		Details:   append(details, slog.String("ecr_request_id", issued.requestID)),
	}
	if !r.AllProjects {
		c.Target = p.host.Repo(p.config.RepoPrefix + r.Project)
	}
	return c, nil
}

// noteThrottling returns a context for calls of op, whose throttling callers hear of before the calls end.
func (p *Provider) noteThrottling(ctx context.Context, op, project string, secrets func() []string) context.Context {
	return recordThrottling(ctx, func(err error) {
		decorator.NoteThrottled(ctx, p.classify(ctx, op, project, err, secrets()...))
	})
}

// SessionPolicy returns the session policy that r's session gets, as JSON. Errors are those of Credentials that need no
// call upstream.
func (p *Provider) SessionPolicy(r provider.Request) (string, error) {
	input, err := assumeRoleInput(p.setup, r)
	if err != nil {
		return "", err
	}
	return aws.ToString(input.Policy), nil
}

// SessionName returns the name of r's session, which CloudTrail shows and trust policies may match: rise-push-<project>,
// rise-pull-<project>, followed by @<caller> for a caller's own, or rise-pull-@all; shortened with a dot and a hash where
// STS's rules demand it.
// Errors are those of Credentials that need no call upstream.
func (p *Provider) SessionName(r provider.Request) (string, error) {
	input, err := assumeRoleInput(p.setup, r)
	if err != nil {
		return "", err
	}
	return aws.ToString(input.RoleSessionName), nil
}
