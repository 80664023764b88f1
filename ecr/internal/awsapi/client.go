// Package awsapi is the one place that talks to AWS: to STS as whom, and to ECR. Calls return what was asked for, after a look whether the
// answer is about that, or a [failure.Failure], which says what AWS said and knows nothing of the configuration.
package awsapi

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/transport"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Config is what a [Client] is made of.
type Config struct {
	// Region and AccountID are the registry's.
	Region, AccountID string
	// STSRegion is where STS is asked; empty is Region, or the region that the endpoint of STS names.
	STSRegion string
	// RoleARN is the controller role, with RoleExternalID; empty is none.
	RoleARN, RoleExternalID string
	// The static keys; zero is what the SDK finds.
	AccessKeyID, SecretAccessKey, SessionToken provider.Secret
	UseFIPS, UseDualStack                      bool
	// Insecure allows endpoints that are plain HTTP and not on loopback.
	Insecure bool
	// Load are options for the SDK's own configuration.
	Load []func(*config.LoadOptions) error
	// Throttled is told of throttling that [Client.Assume] and [Client.Token] wait out. The context is the caller's.
	Throttled func(context.Context, *failure.Failure)
}

// Client asks AWS. It is safe for concurrent use.
type Client struct {
	config Config
	// Behind a function, like a Secret's text: the SDK holds credentials, which a printer that follows pointers would show.
	parts func() *parts
}

type parts struct {
	sts        *sts.Client // as base, unless told otherwise
	controller *controller
	// tokens is registry without patience: somebody waits for what it asks.
	tokens    *ecr.Client
	registry  *ecr.Client
	transport http.RoundTripper
	closeIdle func()
}

// A Step is what a call is made for: what its failure is called, and the names of ours that AWS may quote in it.
type Step struct {
	Op string
	// Project and its Repository's name; empty if it is about none.
	Project, Repository string
}

// New loads the SDK's configuration and makes the clients. It calls nothing upstream.
func New(ctx context.Context, c Config) (*Client, error) {
	cfg, client, closeIdle, err := loadSTS(ctx, c)
	if err != nil {
		return nil, err
	}
	controller := newController(client, cfg.Credentials, c.RoleARN, c.RoleExternalID)
	forRegistry := func(o *ecr.Options) {
		o.Retryer = newRetryer(cfg, o.Retryer)
		o.Credentials = controller.credentials
	}
	p := &parts{sts: client, controller: controller, transport: transport.RoundTripper(cfg.HTTPClient), closeIdle: closeIdle}
	p.registry = ecr.NewFromConfig(cfg, forRegistry, func(o *ecr.Options) { o.HTTPClient = transport.Patient(o.HTTPClient, transport.CallTimeout) })
	p.tokens = ecr.NewFromConfig(cfg, forRegistry, func(o *ecr.Options) { o.HTTPClient = transport.Patient(o.HTTPClient, transport.AttemptTimeout) })
	if err := checkEndpoints(client.Options(), p.registry.Options(), c.Insecure); err != nil {
		return nil, err
	}
	return &Client{config: c, parts: func() *parts { return p }}, nil
}

// Endpoints tells where the client asks.
func (c *Client) Endpoints() Endpoints {
	p := c.parts()
	return endpointsOf(p.sts.Options(), p.registry.Options())
}

// loadSTS loads the SDK's configuration and makes the client of STS. Whom the SDK itself asks for credentials, it asks in the same region.
func loadSTS(ctx context.Context, c Config) (cfg aws.Config, client *sts.Client, closeIdle func(), err error) {
	region := cmp.Or(c.STSRegion, c.Region)
	for {
		if cfg, closeIdle, err = load(ctx, c, region); err != nil {
			return aws.Config{}, nil, nil, fmt.Errorf("the AWS SDK's own configuration (AWS_* variables, ~/.aws/config): %w", failure.Local(err))
		}
		client = sts.NewFromConfig(cfg, func(o *sts.Options) {
			o.Retryer = newRetryer(cfg, o.Retryer)
			o.HTTPClient = transport.Patient(o.HTTPClient, transport.AttemptTimeout)
		})
		named := stsRegionOf(client.Options().BaseEndpoint)
		switch {
		case named == "" || named == region:
			cfg.Region = c.Region
			return cfg, client, closeIdle, nil
		case c.STSRegion != "" || region != c.Region:
			return aws.Config{}, nil, nil, fmt.Errorf("the endpoint set by AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL is of region %s, and sts_region is another: correct one of them", named)
		}
		region = named
	}
}

func load(ctx context.Context, c Config, region string) (cfg aws.Config, closeIdle func(), err error) {
	options := append(transport.Options(c.Load, checkedSessions()...), config.WithRegion(region))
	if !c.AccessKeyID.IsZero() {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(
			c.AccessKeyID.Reveal(), c.SecretAccessKey.Reveal(), c.SessionToken.Reveal())))
	}
	if c.UseFIPS {
		options = append(options, config.WithUseFIPSEndpoint(aws.FIPSEndpointStateEnabled))
	}
	if c.UseDualStack {
		options = append(options, config.WithUseDualStackEndpoint(aws.DualStackEndpointStateEnabled))
	}
	cfg, err = config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, nil, err
	}
	cfg.HTTPClient, closeIdle = transport.Own(cfg.HTTPClient)
	return cfg, closeIdle, nil
}

// Transport is what requests to AWS are sent with: its proxies and authorities are those of the image registry too.
func (c *Client) Transport() http.RoundTripper { return c.parts().transport }

// CloseIdle closes the connections that are kept for later calls.
func (c *Client) CloseIdle() { c.parts().closeIdle() }

// Forget lets go of the sessions that the client and the SDK keep for themselves.
func (c *Client) Forget() { c.parts().controller.forget() }

// failed makes the failure of a step of err, which a call with ctx returned.
func (c *Client) failed(ctx context.Context, s Step, err error, secrets []string) *failure.Failure {
	return failure.New(ctx, failure.Call{
		Op: s.Op, Project: s.Project, Account: c.config.AccountID, Repository: s.Repository, Secrets: secrets, Retried: retriedError(ctx),
	}, err)
}
