package iam

import "strings"

// Principal is who makes a request.
type Principal struct {
	// ARN is the user's, or the session's: arn:aws:sts::123456789012:assumed-role/Role/Session.
	ARN string
	// RoleARN is the role of a session, and empty for users: arn:aws:iam::123456789012:role/path/Role.
	RoleARN string
	// ID is the unique id of the user, or of the session's role, to which policies are bound (Policy.Bind).
	ID string
	// Account is the principal's account. Service and federated principals, which exist only in trust policies, have
	// none.
	Account string
	// Service and Federated name a principal that isn't a user or session: a service such as pods.eks.amazonaws.com, or
	// an identity provider's ARN.
	Service, Federated string
}

// Request is what is to be decided.
type Request struct {
	Principal Principal
	Action    string // service:Action
	Resource  string // an ARN, or * for actions without one
	Account   string // the account that owns the resource
	Context   Context
}

// Policies are those that apply to a request.
type Policies struct {
	// ServiceControl are the organization's limits for the principal's account. None: no limit. They bind no service and
	// no identity provider's principal.
	ServiceControl []*Policy
	// Identity are the user's or role's.
	Identity []*Policy
	// Boundary is the permissions boundary; nil: no limit.
	Boundary *Policy
	// Session are the session policies; none: no limit.
	Session []*Policy
	// Resource are the resource-based ones, or the trust policy.
	Resource []*Policy
	// Trust says that the resource is a role and Resource its trust policy, which must allow the request even within an
	// account.
	Trust bool
	// SessionLimitsGrants makes session policies and boundaries limit what a resource-based policy grants to a session
	// or to everybody, contrary to AWS's documentation. It is for showing that nothing depends on it.
	SessionLimitsGrants bool
}

// Layer is a type of policy, worded as in AWS's denials.
type Layer string

// The layers.
const (
	ServiceControlLayer Layer = "service control policy"
	IdentityLayer       Layer = "identity-based policy"
	BoundaryLayer       Layer = "permissions boundary"
	SessionLayer        Layer = "session policy"
	ResourceLayer       Layer = "resource-based policy"
	TrustLayer          Layer = "role trust policy"
)

// Decision is the outcome of an evaluation.
type Decision struct {
	Allowed bool
	// Layer is the type of policy that denied the request; empty when it is allowed.
	Layer Layer
	// Explicit tells a Deny statement from a missing Allow.
	Explicit bool
}

// Because words the cause of a denial as AWS does, to be put after "User: … is not authorized to perform: … on
// resource: …". See the IAM User Guide, "Troubleshoot access denied error messages".
func (d Decision) Because(action string) string {
	if d.Explicit {
		article := "a"
		switch d.Layer {
		case IdentityLayer:
			article = "an"
		case TrustLayer:
			article = "the"
		}
		return "with an explicit deny in " + article + " " + string(d.Layer)
	}
	return "because no " + string(d.Layer) + " allows the " + action + " action"
}

// String describes the decision: "allowed", or the layer and whether its denial is explicit.
func (d Decision) String() string {
	switch {
	case d.Allowed:
		return "allowed"
	case d.Explicit:
		return "explicit deny: " + string(d.Layer)
	default:
		return "implicit deny: " + string(d.Layer)
	}
}

// grant is how a resource-based policy allows a request, which decides what else may limit it.
type grant uint8

const (
	noGrant       grant = iota
	accountGrant        // to the account: its identity-based policies decide
	roleGrant           // to the session's role: limited by boundary and session policy
	sessionGrant        // to the session or to everybody: limited by nothing but explicit denies
	userGrant           // to the user: likewise
	externalGrant       // to a service or identity provider
)

// Evaluate decides r. An explicit Deny anywhere wins. Within an account, then, a resource-based policy allows on its
// own according to how it names the principal, or else identity-based policies, boundary and session policies must all
// allow; across accounts both sides must. See the IAM User Guide, "Policy evaluation for requests within a single
// account" and "Cross-account policy evaluation logic".
func Evaluate(r Request, p Policies) Decision {
	resourceLayer := ResourceLayer
	if p.Trust {
		resourceLayer = TrustLayer
	}
	var boundary []*Policy
	if p.Boundary != nil {
		boundary = []*Policy{p.Boundary}
	}
	bounded := p.Boundary != nil
	if r.Principal.Account == "" { // an organization's policies bind its accounts' users and roles only
		p.ServiceControl = nil
	}
	for _, layer := range []struct {
		policies []*Policy
		name     Layer
	}{
		{p.ServiceControl, ServiceControlLayer}, {p.Resource, resourceLayer}, {p.Identity, IdentityLayer},
		{boundary, BoundaryLayer}, {p.Session, SessionLayer},
	} {
		for _, policy := range layer.policies {
			if policy.denies(r, bounded) {
				return Decision{Layer: layer.name, Explicit: true}
			}
		}
	}
	granted := noGrant
	for _, policy := range p.Resource {
		granted = max(granted, policy.grants(r))
	}
	if granted == externalGrant {
		return Decision{Allowed: true} // no identity-based policies to ask
	}
	if len(p.ServiceControl) > 0 && !allowed(p.ServiceControl, r) {
		return Decision{Layer: ServiceControlLayer}
	}
	sameAccount := r.Principal.Account != "" && r.Principal.Account == r.Account
	if granted == noGrant && (p.Trust || !sameAccount) {
		return Decision{Layer: resourceLayer}
	}
	limited := true
	if sameAccount {
		switch {
		case granted == userGrant, granted == sessionGrant && !p.SessionLimitsGrants:
			return Decision{Allowed: true}
		case granted == roleGrant, granted == sessionGrant:
			limited = false // by identity-based policies
		}
	}
	switch {
	case limited && !allowed(p.Identity, r):
		return Decision{Layer: IdentityLayer}
	case bounded && !allowed(boundary, r):
		return Decision{Layer: BoundaryLayer}
	case len(p.Session) > 0 && !allowed(p.Session, r):
		return Decision{Layer: SessionLayer}
	}
	return Decision{Allowed: true}
}

// allowed reports whether any of the policies, which name no principals, allows r.
func allowed(policies []*Policy, r Request) bool {
	for _, p := range policies {
		for i := range p.statements {
			if s := &p.statements[i]; !s.deny && s.covers(r) {
				return true
			}
		}
	}
	return false
}

func (p *Policy) denies(r Request, bounded bool) bool {
	for i := range p.statements {
		if s := &p.statements[i]; s.deny && s.covers(r) && s.names(r.Principal, bounded) != noGrant {
			return true
		}
	}
	return false
}

func (p *Policy) grants(r Request) grant {
	best := noGrant
	for i := range p.statements {
		if s := &p.statements[i]; !s.deny && s.covers(r) {
			best = max(best, s.names(r.Principal, false))
		}
	}
	return best
}

// covers reports whether the statement is about the request, principals apart.
func (s *statement) covers(r Request) bool {
	if s.actions != nil && !anyAction(s.actions, r.Action) || s.notActions != nil && anyAction(s.notActions, r.Action) {
		return false
	}
	for _, key := range s.keys {
		if v := r.Context[key]; v.either {
			return s.coversEither(r, key, v.values)
		}
	}
	if s.resources != nil && !anyResource(s.resources, r) || s.notResources != nil && anyResource(s.notResources, r) {
		return false
	}
	for _, c := range s.conditions {
		if !c.holds(r.Context) {
			return false
		}
	}
	return true
}

// coversEither is covers where key has one of values: for any of them if the statement allows, for all of them if it denies.
func (s *statement) coversEither(r Request, key string, values []string) bool {
	base := r.Context
	for _, value := range values {
		r.Context = base.with(key, value)
		if s.covers(r) != s.deny {
			return !s.deny
		}
	}
	return s.deny
}

// anyAction ignores case, as AWS does for actions.
func anyAction(list []pattern, action string) bool {
	s := runes(action)
	for _, p := range list {
		if expanded, ok := p.expand(nil, true); ok && match(expanded, s, true) {
			return true
		}
	}
	return false
}

func anyResource(list []pattern, r Request) bool {
	s := runes(r.Resource)
	for _, p := range list {
		if expanded, ok := p.expand(r.Context, true); ok && match(expanded, s, false) {
			return true
		}
	}
	return false
}

// names reports how the statement's principals name p. A statement without principals is about everybody.
func (s *statement) names(p Principal, bounded bool) grant {
	if s.notPrincipals != nil {
		// AWS: a NotPrincipal spares only whom it names in full (session, role and account), and denies every principal
		// that has a boundary.
		if !bounded && listsInFull(s.notPrincipals, p) {
			return noGrant
		}
		return sessionGrant
	}
	if s.principals == nil {
		return sessionGrant
	}
	best := noGrant
	for _, pr := range s.principals {
		best = max(best, pr.names(p))
	}
	return best
}

func (pr principal) names(p Principal) grant {
	switch pr.kind {
	case "Service":
		if p.Service != "" && pr.value == p.Service {
			return externalGrant
		}
		return noGrant
	case "Federated":
		if p.Federated != "" && pr.value == p.Federated {
			return externalGrant
		}
		return noGrant
	}
	switch {
	case pr.value == "*":
		if p.Account == "" {
			return externalGrant
		}
		return sessionGrant
	case p.Account == "":
		return noGrant
	case pr.value == p.Account, strings.HasSuffix(pr.value, "::"+p.Account+":root"):
		return accountGrant
	case pr.value == p.ARN && p.RoleARN != "":
		return sessionGrant // a session's ARN is kept as it is
	case pr.id != "" && pr.id == p.ID, uniqueID.MatchString(pr.value) && pr.value == p.ID:
		if p.RoleARN != "" {
			return roleGrant
		}
		return userGrant
	}
	return noGrant
}

func listsInFull(list []principal, p Principal) bool {
	var account, own, session bool
	for _, pr := range list {
		if pr.value == "*" {
			return true
		}
		switch pr.names(p) {
		case accountGrant:
			account = true
		case roleGrant, userGrant:
			own = true
		case sessionGrant:
			session = true
		case externalGrant:
			return true
		case noGrant:
		}
	}
	return account && own && (session || p.RoleARN == "")
}
