package identity

import (
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

// Session is a role that somebody assumed. It is never changed once made.
type Session struct {
	Role       *Role
	Name       string
	Tags       map[string]string
	Transitive map[string]bool // lower-case keys of Tags that a session of a session inherits
	Policies   []*iam.Policy
	SourceID   string            // sts:SourceIdentity
	Federated  map[string]string // condition keys that come from an OIDC token: ISS:aud, ISS:sub
	Issued     time.Time
	Expires    time.Time
}

// ARN is the session's own.
func (s *Session) ARN() string {
	partition := strings.Split(s.Role.ARN, ":")[1]
	return "arn:" + partition + ":sts::" + s.Role.Account + ":assumed-role/" + s.Role.Name + "/" + s.Name
}

// Caller is who makes a request: a user or a session. The zero value is nobody that IAM knows.
type Caller struct {
	User    *User
	Session *Session
}

// ARN is the user's or the session's.
func (c Caller) ARN() string {
	if c.User != nil {
		return c.User.ARN
	}
	return c.Session.ARN()
}

// Account is the user's or the role's.
func (c Caller) Account() string {
	if c.User != nil {
		return c.User.Account
	}
	return c.Session.Role.Account
}

// ID is the caller's as GetCallerIdentity has it.
func (c Caller) ID() string {
	if c.User != nil {
		return c.User.ID
	}
	return c.Session.Role.ID + ":" + c.Session.Name
}

// Deleted reports whether the user or role is gone.
func (c Caller) Deleted() bool {
	if c.User != nil {
		return c.User.Deleted
	}
	return c.Session.Role.Deleted
}

// Rights are the user's or the role's of this moment.
func (c Caller) Rights() *Rights {
	if c.User != nil {
		return c.User.Rights
	}
	return c.Session.Role.Rights
}

// Principal is the caller as policies see it.
func (c Caller) Principal() iam.Principal {
	if c.User != nil {
		return iam.Principal{ARN: c.User.ARN, ID: c.User.ID, Account: c.User.Account}
	}
	r := c.Session.Role
	return iam.Principal{ARN: c.Session.ARN(), RoleARN: r.ARN, ID: r.ID, Account: r.Account}
}

// SessionPolicies are those that the session was made with; a user has none.
func (c Caller) SessionPolicies() []*iam.Policy {
	if c.Session == nil {
		return nil
	}
	return c.Session.Policies
}

// SetConditions sets the condition keys that say who the caller is. See the IAM User Guide, "AWS global condition
// context keys".
func (c Caller) SetConditions(ctx iam.Context) {
	if c == (Caller{}) {
		return
	}
	ctx.Set("aws:PrincipalAccount", c.Account())
	ctx.Set("aws:userid", c.ID())
	if u := c.User; u != nil {
		ctx.Set("aws:PrincipalArn", u.ARN)
		ctx.Set("aws:PrincipalType", "User")
		ctx.Set("aws:username", u.Name)
		ctx.SetTags("aws:PrincipalTag", u.Definition.Tags)
		return
	}
	s := c.Session
	ctx.Set("aws:PrincipalArn", s.Role.ARN)
	ctx.Set("aws:PrincipalType", "AssumedRole")
	ctx.Set("aws:TokenIssueTime", s.Issued.UTC().Format(time.RFC3339))
	if s.SourceID != "" {
		ctx.Set("aws:SourceIdentity", s.SourceID)
	}
	for key, value := range s.Federated {
		ctx.Set(key, value)
	}
	ctx.SetTags("aws:PrincipalTag", s.Role.Definition.Tags)
	ctx.SetTags("aws:PrincipalTag", s.Tags)
}
