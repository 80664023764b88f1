package ecr

import (
	"context"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/hint"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/repositories"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/decorator"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// Provider implements [provider.Provider] for ECR. Make it with [New] or [Builder]. It is safe for concurrent use. It runs
// nothing by itself; its Close lets go of connections.
type Provider struct {
	config       Config
	setup        policy.Setup
	host         name.Registry
	hostWarning  *hostWarning
	aws          *awsapi.Client
	repositories *repositories.Manager
}

var _ interface {
	provider.Provider
	provider.Typed
	provider.HostNamer
	provider.RepositorySharer
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
	setup, err := c.setup()
	if err != nil {
		return nil, misconfigured(err)
	}
	client, err := awsapi.New(ctx, awsapi.Config{
		Region: c.Region, AccountID: c.AccountID, STSRegion: c.STSRegion, RoleARN: c.RoleARN, RoleExternalID: c.RoleExternalID,
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
		UseFIPS: c.UseFIPS, UseDualStack: c.UseDualStack, Insecure: c.Insecure, Load: o.load,
		Throttled: func(ctx context.Context, f *failure.Failure) { decorator.NoteThrottled(ctx, hint.Error(setup, f)) },
	})
	if err != nil {
		return nil, misconfigured(err)
	}
	host := c.RegistryHost
	if host == "" {
		endpoints := client.Endpoints()
		if host, err = imageHost(c.AccountID, c.Region, endpoints.FIPS, endpoints.DualStack); err != nil {
			return nil, misconfigured(err)
		}
	}
	named, err := name.NewRegistry(host, name.StrictValidation)
	if err != nil {
		return nil, misconfigured(err)
	}
	if o.logger != nil {
		for _, warning := range c.Warnings() {
			o.logger.LogAttrs(ctx, slog.LevelWarn, "the registry's configuration works, but isn't as it should be", slog.String("warning", warning.Error()))
		}
	}
	return &Provider{
		config:       c,
		setup:        setup,
		host:         named,
		hostWarning:  &hostWarning{logger: o.logger, host: imageRegistry{named.RegistryStr(), c.AccountID, c.Region}},
		aws:          client,
		repositories: repositories.New(setup, c.settings(), client),
	}, nil
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
	repository := p.config.RepoPrefix + r.Project
	details := append(make([]slog.Attr, 0, 4), slog.String("session_name", input.Name))
	failed := func(err error) (provider.Credentials, error) {
		explained := hint.Error(p.setup, failure.Of(err))
		explained.Details = append(details, explained.Details...)
		return provider.Credentials{}, explained
	}
	session, err := p.aws.Assume(ctx, awsapi.Step{Op: opAssumeRole(r), Project: r.Project, Repository: repository}, input)
	if err != nil {
		return failed(err)
	}
	details = append(details, slog.String("session_access_key_id", session.AccessKeyID), slog.String("sts_request_id", session.RequestID))
	issued, err := p.aws.Token(ctx, awsapi.Step{Op: failure.OpToken, Project: r.Project, Repository: repository}, session)
	if err != nil {
		return failed(err)
	}
	p.hostWarning.check(ctx, issued)
	c := provider.Credentials{
		Target:    p.host,
		Access:    r.Access,
		Method:    provider.LoginCredentials,
		Username:  issued.Username,
		Password:  issued.Password,
		ExpiresAt: issued.ExpiresAt,
		Details:   append(details, slog.String("ecr_request_id", issued.RequestID)),
	}
	if !r.AllProjects {
		c.Target = p.host.Repo(repository)
	}
	return c, nil
}

// SessionPolicy returns the session policy that r's session gets, as JSON. Errors are those of Credentials that need no
// call upstream.
func (p *Provider) SessionPolicy(r provider.Request) (string, error) {
	input, err := assumeRoleInput(p.setup, r)
	if err != nil {
		return "", err
	}
	return input.Policy, nil
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
	return input.Name, nil
}

// Close closes the connections to AWS that are kept for later calls, which else stay open for a minute and a half: where providers are replaced, as
// with another configuration, each would leave some. Calls that are under way end, and later ones work. An HTTP client that [WithLoadOptions] sets keeps its own,
// unless it is the SDK's. It returns nil.
func (p *Provider) Close() error {
	p.aws.CloseIdle()
	return nil
}

// ForgetAll lets go of the sessions that the provider keeps for itself, that of role_arn and those that the AWS SDK made of what it
// found (web identity, an instance's role): the next call makes new ones. It is for when their role was made again, or its sessions
// were revoked, which would else deny everything for up to an hour. Tenants' credentials aren't kept here; see registry/cache.
func (p *Provider) ForgetAll() { p.aws.Forget() }
