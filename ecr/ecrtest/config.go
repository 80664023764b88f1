package ecrtest

import (
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/cloud"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/images"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
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

func (cfg Config) withDefaults() Config {
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
	return cfg
}

// cloud makes the cloud that the server is of.
func (cfg Config) cloud(contents *images.Contents) (*cloud.Cloud, error) {
	quotas := make(map[string]cloud.Quota, len(cfg.Quotas))
	for call, q := range cfg.Quotas {
		quotas[call] = cloud.Quota(q)
	}
	return cloud.New(cloud.Config{
		Account: cfg.Account, Region: cfg.Region, OtherRegions: cfg.OtherRegions, OrganizationID: cfg.OrganizationID,
		ServiceControlPolicies: cfg.ServiceControlPolicies, ClockOffset: cfg.ClockOffset,
		Tokens: identity.TokenRules{Lifetime: cfg.TokenLifetime, DieWithSession: cfg.TokenDiesWithSession,
			FixedWhenIssued: cfg.TokenRights == FixedAtIssue},
		TagDelay: cfg.TagDelay, SessionPoliciesLimitGrants: cfg.SessionPoliciesLimitGrants, Quotas: quotas,
		MaxRepositories: cfg.MaxRepositories,
		Content:         func(key repos.Key) repos.Content { return contents.Of(key) },
	})
}
