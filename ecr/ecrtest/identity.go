package ecrtest

import (
	"fmt"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
)

// AccessKey is a key pair. SessionToken is empty for users' own keys.
type AccessKey struct {
	ID, Secret, SessionToken string
}

// String shows the key's id only.
func (k AccessKey) String() string { return "AccessKey(" + k.ID + ")" }

// GoString shows the key's id only.
func (k AccessKey) GoString() string { return k.String() }

// Format shows the key's id only, whatever the verb.
func (k AccessKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// User is an IAM user.
type User struct {
	// Name is the user's name, or its ARN for one of another account.
	Name string
	// Policies are its identity-based policies, as JSON.
	Policies []string
	// Boundary is its permissions boundary; empty for none.
	Boundary string
	// Tags are the user's tags, which its requests carry as aws:PrincipalTag.
	Tags map[string]string
}

// Role is an IAM role.
type Role struct {
	// Name is the role's name, or its ARN for one of another account or with a path.
	Name string
	// Trust is the trust policy, as JSON.
	Trust string
	// Policies are its identity-based policies, as JSON.
	Policies []string
	// Boundary is its permissions boundary; empty for none.
	Boundary string
	// MaxSessionDuration is 1 to 12 h; default 1 h.
	MaxSessionDuration time.Duration
	// Tags are the role's tags, which its sessions carry as aws:PrincipalTag unless a session tag has the same key.
	Tags map[string]string
}

// AddUser makes a user and returns a key of it. It panics when there is one of that name.
func (s *Server) AddUser(def User) AccessKey {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	u, err := s.cloud.Users.Add(identity.UserDefinition(def))
	must(err)
	return s.newKey(u)
}

// AddAccessKey makes another key for a user, given by name or ARN.
func (s *Server) AddAccessKey(userName string) AccessKey {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	u, err := s.cloud.Users.Find(userName)
	must(err)
	return s.newKey(u)
}

func (s *Server) newKey(u *identity.User) AccessKey {
	k := s.cloud.Keys.AddForUser(u)
	return AccessKey{ID: k.ID, Secret: k.Secret}
}

// DeleteAccessKey makes a key invalid from now on, be it a user's or a session's. An unknown one is ignored.
func (s *Server) DeleteAccessKey(id string) {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	s.cloud.Keys.Delete(id)
}

// UpdateUser changes a user's definition; a changed Name is ignored. change must not call the server's methods.
func (s *Server) UpdateUser(name string, change func(*User)) {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	u, err := s.cloud.Users.Find(name)
	must(err)
	def := User(u.Definition)
	change(&def)
	must(u.Define(identity.UserDefinition(def)))
}

// DeleteUser deletes a user and its keys. Policies that name it don't name a later user of that name.
func (s *Server) DeleteUser(name string) {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	must(s.cloud.Users.Delete(name))
}

// AddRole makes a role and returns its ARN. It panics when there is one of that ARN: a role is changed with UpdateRole,
// and made anew, as another principal, with DeleteRole and AddRole.
func (s *Server) AddRole(def Role) string {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	r, err := s.cloud.Roles.Add(identity.RoleDefinition(def))
	must(err)
	return r.ARN
}

// UpdateRole changes a role's definition; a changed Name is ignored. A trust policy that is changed is saved anew, with
// principals looked up again. change must not call the server's methods.
func (s *Server) UpdateRole(name string, change func(*Role)) {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	r, err := s.cloud.Roles.Find(name)
	must(err)
	def := Role(r.Definition)
	change(&def)
	must(s.cloud.Roles.Define(r, identity.RoleDefinition(def)))
}

// DeleteRole deletes a role; its sessions' keys become invalid. Policies that name it don't name a later role of that
// name.
func (s *Server) DeleteRole(name string) {
	s.cloud.Lock()
	defer s.cloud.Unlock()
	must(s.cloud.Roles.Delete(name))
}
