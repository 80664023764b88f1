package cloud

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
)

// Conditions are the condition keys of a request by who (the zero Caller for a service or an OIDC provider) in a region,
// those apart that come from the wire. See the IAM User Guide, "AWS global condition context keys".
func (c *Cloud) Conditions(who identity.Caller, region string) iam.Context {
	now := c.Now().UTC()
	ctx := iam.Context{}
	ctx.Set("aws:CurrentTime", now.Format(time.RFC3339))
	ctx.Set("aws:EpochTime", strconv.FormatInt(now.Unix(), 10))
	ctx.Set("aws:SecureTransport", "true") // AWS has no other
	ctx.Set("aws:RequestedRegion", region)
	ctx.Set("aws:ViaAWSService", "false")
	ctx.Set("aws:PrincipalIsAWSService", "false")
	if who != (identity.Caller{}) {
		ctx.Set("aws:PrincipalOrgID", c.organizationID)
		who.SetConditions(ctx)
	}
	return ctx
}

// SetRequestTags sets the condition keys for tags that a request carries.
func SetRequestTags(ctx iam.Context, tags map[string]string) {
	ctx.SetTags("aws:RequestTag", tags)
	ctx.Set("aws:TagKeys", slices.Sorted(maps.Keys(tags))...)
}

// Decide evaluates an action of ECR (or of KMS, on ECR's behalf) under all policies that apply to it, with rights that are the caller's
// of now or of another time. The resource, an ARN or *, belongs to the account in it, or else to the caller's. repo is
// the repository that it is about; nil when there is none.
func (c *Cloud) Decide(who identity.Caller, rights *identity.Rights, action, resource, region string, repo *repos.Repository,
	ctx iam.Context) iam.Decision {
	policies := c.policies(who, rights)
	account := who.Account()
	if parts := strings.SplitN(resource, ":", 6); len(parts) == 6 {
		account = parts[4]
	}
	ctx.Set("aws:ResourceAccount", account)
	ctx.Set("aws:ResourceOrgID", c.organizationID)
	if reg := c.Registries.byKey[repos.Key{Account: account, Region: region}]; reg != nil && reg.Policy != nil && resource != "*" {
		policies.Resource = append(policies.Resource, reg.Policy)
	}
	if repo != nil {
		tags := repo.Tags.Effective(c.Now(), c.tagDelay)
		ctx.SetTags("aws:ResourceTag", tags)
		ctx.SetTags("ecr:ResourceTag", tags)
		if repo.Policy != nil {
			policies.Resource = append(policies.Resource, repo.Policy)
		}
	}
	return iam.Evaluate(iam.Request{
		Principal: who.Principal(), Action: action, Resource: resource, Account: account, Context: ctx,
	}, policies)
}

// DecideAssume decides one of the actions that assuming a role takes; a role that is nil is nobody's. Tagging a session
// must be allowed by the trust policy and by the caller's own policies too, wherever the role is.
func (c *Cloud) DecideAssume(who identity.Caller, role *identity.Role, action string, ctx iam.Context) iam.Decision {
	if role == nil {
		return iam.Decision{Layer: iam.TrustLayer}
	}
	request := iam.Request{Principal: who.Principal(), Action: action, Resource: role.ARN, Account: role.Account, Context: ctx}
	policies := c.policies(who, who.Rights())
	policies.Resource, policies.Trust = []*iam.Policy{role.Trust}, true
	decision := iam.Evaluate(request, policies)
	if decision.Allowed && action == "sts:TagSession" {
		policies.Resource, policies.Trust = nil, false
		request.Account = who.Account()
		decision = iam.Evaluate(request, policies)
	}
	return decision
}

// policies are those of the caller's side.
func (c *Cloud) policies(who identity.Caller, rights *identity.Rights) iam.Policies {
	return iam.Policies{
		ServiceControl: c.serviceControl, Identity: rights.Policies, Boundary: rights.Boundary, Session: who.SessionPolicies(),
		SessionLimitsGrants: c.limitGrants,
	}
}

// Denial words a denied request as AWS does.
func Denial(who identity.Caller, action, resource string, d iam.Decision) string {
	text := "User: " + who.ARN() + " is not authorized to perform: " + action
	if resource != "" {
		text += " on resource: " + resource
	}
	return text + " " + d.Because(action)
}

// SetTags changes a repository's tags, which authorization learns with the configured delay.
func (c *Cloud) SetTags(r *repos.Repository, tags map[string]string) {
	r.Tags.Set(c.Now(), c.tagDelay, tags)
}
