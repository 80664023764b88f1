package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	ecrlogin "github.com/awslabs/amazon-ecr-credential-helper/ecr-login"
	"github.com/awslabs/amazon-ecr-credential-helper/ecr-login/api"
	"github.com/fluxcd/pkg/auth"
	fluxaws "github.com/fluxcd/pkg/auth/aws"
	fluxcache "github.com/fluxcd/pkg/cache"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
)

const (
	region  = "eu-west-1"
	account = "123456789012"
	roleARN = "arn:aws:iam::123456789012:role/rise-backend-ecr-push"
	// sessionARN is the ARN of its sessions, but for their names.
	sessionARN = "arn:aws:sts::123456789012:assumed-role/rise-backend-ecr-push"
	host       = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
)

// token is as long as ECR's tokens are.
var token = strings.Repeat("0123456789abcdef", 120)

var push = provider.Request{Project: "hello", Access: provider.Push}

// subject is one way to a credential.
type subject struct {
	name string
	get  func(context.Context) error
}

// Names of subjects, by which targets find them.
const (
	floor         = "floor: bare SDK clients, built once"
	ours          = "rise-registry-go"
	fluxUncached  = "fluxcd/pkg/auth"
	loginUncached = "amazon-ecr-credential-helper"
	riseWay       = "Rise's way: new configuration each time"
	bareMap       = "floor: mutex + map + expiry check"
	oursHit       = "rise-registry-go, factory-built"
	oursIssue     = "rise-registry-go, provider.Issue: with the checks"
	fluxHit       = "fluxcd/pkg/auth, its cache"
	loginHit      = "amazon-ecr-credential-helper, file cache, kept client"
)

// uncached are the ways to a new credential: one AssumeRole and one GetAuthorizationToken each.
func uncached(ctx context.Context, url string) ([]subject, error) {
	if err := os.Setenv("AWS_ECR_DISABLE_CACHE", "1"); err != nil { // the helper's file cache
		return nil, err
	}
	p, err := ecr.New(ctx, ourConfig())
	if err != nil {
		return nil, err
	}
	policy, err := p.SessionPolicy(push)
	if err != nil {
		return nil, err
	}
	static := config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""))
	cfg, err := config.LoadDefaultConfig(ctx, static)
	if err != nil {
		return nil, err
	}
	sts, registry := awssts.NewFromConfig(cfg), awsecr.NewFromConfig(cfg)
	flux := fluxaws.Provider{Implementation: shim{url: url}}
	helper := ecrlogin.NewECRHelper(ecrlogin.WithLogger(io.Discard))
	return []subject{
		{floor, func(ctx context.Context) error { return issue(ctx, sts, registry, policy) }},
		{ours, func(ctx context.Context) error { _, err := p.Credentials(ctx, push); return err }},
		{fluxUncached, func(ctx context.Context) error {
			_, err := auth.GetArtifactRegistryCredentials(ctx, flux, host+"/rise/hello")
			return err
		}},
		{loginUncached, func(context.Context) error { _, _, err := helper.Get(host); return err }},
		{riseWay, func(ctx context.Context) error {
			cfg, err := config.LoadDefaultConfig(ctx, static)
			if err != nil {
				return err
			}
			return issue(ctx, awssts.NewFromConfig(cfg), awsecr.NewFromConfig(cfg), policy)
		}},
	}, nil
}

// issue is what Rise's backend does for a push credential.
func issue(ctx context.Context, sts *awssts.Client, registry *awsecr.Client, policy string) error {
	session, err := sts.AssumeRole(ctx, &awssts.AssumeRoleInput{
		RoleArn: aws.String(roleARN), RoleSessionName: aws.String("rise-push-hello"), Policy: aws.String(policy), DurationSeconds: aws.Int32(3600),
	})
	if err != nil {
		return err
	}
	c := session.Credentials
	out, err := registry.GetAuthorizationToken(ctx, &awsecr.GetAuthorizationTokenInput{}, func(o *awsecr.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	})
	if err == nil && len(out.AuthorizationData) == 0 {
		err = errors.New("no authorization data")
	}
	return err
}

// shim sends flux's ECR client, which follows no variable, to url.
type shim struct {
	fluxaws.Implementation
	url string
}

func (s shim) LoadDefaultConfig(ctx context.Context, opts ...func(*config.LoadOptions) error) (aws.Config, error) {
	return config.LoadDefaultConfig(ctx, opts...)
}

func (s shim) GetAuthorizationToken(ctx context.Context, cfg aws.Config) (any, error) {
	cfg.BaseEndpoint = aws.String(s.url)
	return awsecr.NewFromConfig(cfg).GetAuthorizationToken(ctx, &awsecr.GetAuthorizationTokenInput{})
}

// hits are the ways to a credential that is kept.
func hits(ctx context.Context, url string) ([]subject, func() error, error) {
	if err := os.Unsetenv("AWS_ECR_DISABLE_CACHE"); err != nil {
		return nil, nil, err
	}
	p, err := built(ctx)
	if err != nil {
		return nil, nil, err
	}
	kept, err := p.Credentials(ctx, push)
	if err != nil {
		return nil, nil, err
	}
	bare := &mutexMap{kept: map[provider.Request]provider.Credentials{push: kept}}
	tokens, err := fluxcache.NewTokenCache(100)
	if err != nil {
		return nil, nil, err
	}
	flux := fluxaws.Provider{Implementation: shim{url: url}}
	cached := auth.WithCache(*tokens, fluxcache.InvolvedObject{Kind: "Project", Name: "hello", Namespace: "rise", Operation: "push"})
	client := api.DefaultClientFactory{}.NewClientFromRegion(region)
	return []subject{
		{bareMap, bare.get},
		{oursHit, func(ctx context.Context) error { _, err := p.Credentials(ctx, push); return err }},
		{oursIssue, func(ctx context.Context) error { _, err := provider.Issue(ctx, p, push); return err }},
		{fluxHit, func(ctx context.Context) error {
			_, err := auth.GetArtifactRegistryCredentials(ctx, flux, host+"/rise/hello", cached)
			return err
		}},
		{loginHit, func(context.Context) error { _, err := client.GetCredentials(host); return err }},
	}, func() error { return provider.Close(p) }, nil
}

// mutexMap is the least that a cache can be.
type mutexMap struct {
	mu   sync.Mutex
	kept map[provider.Request]provider.Credentials
}

func (m *mutexMap) get(context.Context) error {
	_, err := m.credentials(push)
	return err
}

//go:noinline
func (m *mutexMap) credentials(r provider.Request) (provider.Credentials, error) {
	m.mu.Lock()
	c, ok := m.kept[r]
	m.mu.Unlock()
	if !ok || !time.Now().Before(c.ExpiresAt) {
		return provider.Credentials{}, provider.ErrNotFound
	}
	return c, nil
}

func ourConfig() ecr.Config {
	c := ecr.DefaultConfig()
	c.Region, c.AccountID, c.PushRoleARN = region, account, roleARN
	c.AccessKeyID, c.SecretAccessKey = provider.NewSecret("AKIAEXAMPLE"), provider.NewSecret("secret")
	return c
}

// built is a provider as a service gets it from the factory, with its cache, or one with another bound of issues a second.
func built(ctx context.Context, perSecond ...int) (provider.Provider, error) {
	factory, err := registry.NewFactory(ecr.Builder())
	if err != nil {
		return nil, err
	}
	c := factory.Config()
	if err := c.SetConfigType(ecr.Type); err != nil {
		return nil, err
	}
	section, ok := c.Section().(*ecr.Config)
	if !ok {
		return nil, fmt.Errorf("the section is a %T", c.Section())
	}
	*section = ourConfig()
	for _, most := range perSecond {
		c.Cache.MaxPerSecond = &most
	}
	return factory.Build(ctx, c)
}
