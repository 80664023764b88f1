package identity

import (
	"fmt"
	"maps"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

// RoleDefinition is how a role is made: see ecrtest.Role.
type RoleDefinition struct {
	Name               string
	Trust              string
	Policies           []string
	Boundary           string
	MaxSessionDuration time.Duration
	Tags               map[string]string
}

// Role is an IAM role.
type Role struct {
	Definition RoleDefinition
	ARN        string
	ID         string
	Name       string // without path
	Account    string
	Trust      *iam.Policy
	Rights     *Rights
	Deleted    bool
}

// Trusts decides an action that the trust policy alone allows: one by a service or an OIDC provider. Nobody may act on a role
// that is nil.
func (r *Role) Trusts(by iam.Principal, action string, ctx iam.Context) iam.Decision {
	if r == nil {
		return iam.Decision{Layer: iam.TrustLayer}
	}
	return iam.Evaluate(iam.Request{Principal: by, Action: action, Resource: r.ARN, Account: r.Account, Context: ctx},
		iam.Policies{Resource: []*iam.Policy{r.Trust}, Trust: true})
}

// Roles are those that there are.
type Roles struct {
	home     Home
	bindings *Bindings
	byARN    map[string]*Role
}

// NewRoles makes a store of roles whose ids, and trust policies, go into the bindings.
func NewRoles(home Home, bindings *Bindings) *Roles {
	return &Roles{home: home, bindings: bindings, byARN: map[string]*Role{}}
}

// Add makes a role.
func (rs *Roles) Add(def RoleDefinition) (*Role, error) {
	arn, account, name, err := rs.home.entity("role", def.Name)
	if err != nil {
		return nil, err
	}
	if rs.byARN[arn] != nil {
		return nil, fmt.Errorf("role %s exists", arn)
	}
	r := &Role{ARN: arn, Account: account, Name: name, ID: randomID("AROA")}
	if err := rs.Define(r, def); err != nil {
		return nil, err
	}
	rs.byARN[arn] = r
	rs.bindings.made(arn, r.ID) // its own trust policy included
	return r, nil
}

// Define changes what a role is, its name apart. A trust policy that is changed is saved anew, with principals looked up
// again; one that isn't goes on naming whom it named.
func (rs *Roles) Define(r *Role, def RoleDefinition) error {
	if def.MaxSessionDuration == 0 {
		def.MaxSessionDuration = time.Hour
	}
	if def.MaxSessionDuration < time.Hour || def.MaxSessionDuration > 12*time.Hour {
		return fmt.Errorf("role %s: MaxSessionDuration %s isn't between 1h and 12h", r.Name, def.MaxSessionDuration)
	}
	rights, err := newRights(def.Policies, def.Boundary, "role "+r.Name)
	if err != nil {
		return err
	}
	if r.Trust == nil || def.Trust != r.Definition.Trust {
		trust, err := iam.Parse(def.Trust, iam.Trust)
		if err != nil {
			return fmt.Errorf("role %s's trust policy: %w", r.Name, err)
		}
		rs.bindings.Replace(r.Trust, trust)
		r.Trust = trust
	}
	def.Tags = maps.Clone(def.Tags)
	r.Definition, r.Rights = def, rights
	return nil
}

// Find finds a role by name or ARN.
func (rs *Roles) Find(nameOrARN string) (*Role, error) {
	arn, err := rs.ARN(nameOrARN)
	if err != nil {
		return nil, err
	}
	if rs.byARN[arn] == nil {
		return nil, fmt.Errorf("no role %s", arn)
	}
	return rs.byARN[arn], nil
}

// ARN is that of a role, which need not exist, by name or ARN.
func (rs *Roles) ARN(nameOrARN string) (string, error) {
	arn, _, _, err := rs.home.entity("role", nameOrARN)
	return arn, err
}

// ByARN is the role that has an ARN; nil when there is none.
func (rs *Roles) ByARN(arn string) *Role { return rs.byARN[arn] }

// Delete deletes a role, if there is one of that name or ARN; its sessions' keys become invalid. Policies that name it
// don't name a later role of that name.
func (rs *Roles) Delete(nameOrARN string) error {
	arn, err := rs.ARN(nameOrARN)
	if r := rs.byARN[arn]; r != nil {
		r.Deleted = true
		delete(rs.byARN, arn)
		rs.bindings.Replace(r.Trust, nil)
		rs.bindings.deleted(arn)
	}
	return err
}
