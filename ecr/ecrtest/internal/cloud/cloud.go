// Package cloud is the AWS that the double stands for: the accounts' identities, their registries, and who may do what.
// It knows no protocol: those in the packages beside it read requests, ask here, and write the answers.
//
// One mutex guards it all: who uses a Cloud locks it first, for a request or a change as a whole, and neither the cloud
// nor what it consists of ever locks anything. What New fixed (Place, Now) may be read without.
package cloud

import (
	"fmt"
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
)

// Config says what a Cloud is like: see ecrtest.Config. Here is no default but that of modes.
type Config struct {
	Account, Region        string
	OtherRegions           []string
	OrganizationID         string
	ServiceControlPolicies []string
	ClockOffset            time.Duration

	Tokens                     identity.TokenRules
	TagDelay                   time.Duration
	SessionPoliciesLimitGrants bool
	Quotas                     map[string]Quota
	MaxRepositories            int

	// Content is where the images of an account's registry in a region are. It is asked once for each.
	Content func(repos.Key) repos.Content
}

// Cloud is AWS: its mutex, where and when it is, and what there is.
type Cloud struct {
	sync.Mutex

	Place
	Users      *identity.Users
	Roles      *identity.Roles
	Keys       *identity.Keys
	Tokens     *identity.Tokens
	Providers  *identity.Providers
	Pods       *identity.Pods
	Registries *Registries
	Quotas     *Quotas

	clockOffset    time.Duration
	organizationID string
	serviceControl []*iam.Policy
	tagDelay       time.Duration
	limitGrants    bool
}

// New makes a cloud without users, roles and repositories.
func New(cfg Config) (*Cloud, error) {
	place, err := newPlace(cfg.Account, cfg.Region, cfg.OtherRegions)
	if err != nil {
		return nil, err
	}
	c := &Cloud{Place: place, clockOffset: cfg.ClockOffset, organizationID: cfg.OrganizationID, tagDelay: cfg.TagDelay,
		limitGrants: cfg.SessionPoliciesLimitGrants}
	for _, document := range cfg.ServiceControlPolicies {
		p, err := iam.Parse(document, iam.Identity)
		if err != nil {
			return nil, fmt.Errorf("service control policy: %w", err)
		}
		c.serviceControl = append(c.serviceControl, p)
	}
	home, bindings := identity.Home{Partition: c.Partition, Account: c.Account}, identity.NewBindings()
	c.Users = identity.NewUsers(home, bindings)
	c.Roles = identity.NewRoles(home, bindings)
	c.Keys = identity.NewKeys(c.Now)
	c.Tokens = identity.NewTokens(cfg.Tokens, c.Now)
	c.Providers = identity.NewProviders(home, c.Now)
	c.Pods = identity.NewPods(c.Roles)
	c.Registries = newRegistries(c.Partition, cfg.MaxRepositories, bindings, cfg.Content)
	c.Quotas = newQuotas(cfg.Quotas, c.Now)
	return c, nil
}

// Now is the cloud's time.
func (c *Cloud) Now() time.Time { return time.Now().Add(c.clockOffset) }
