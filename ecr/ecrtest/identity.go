package ecrtest

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
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

// rights are the policies of a user or role. A value is never changed once made.
type rights struct {
	policies []*iam.Policy
	boundary *iam.Policy
}

type user struct {
	def     User
	arn     string
	id      string
	name    string
	account string
	rights  *rights
	deleted bool
}

type role struct {
	def     Role
	arn     string
	id      string
	name    string // without path
	account string
	trust   *iam.Policy
	rights  *rights
	deleted bool
}

type session struct {
	role       *role
	name       string
	tags       map[string]string
	transitive map[string]bool // lower-case keys
	policies   []*iam.Policy
	sourceID   string
	federated  map[string]string // ISS:aud, ISS:sub
	issued     time.Time
	expires    time.Time
}

// identity is an authenticated principal: a user or a session.
type identity struct {
	user    *user
	session *session
}

// credential is what an access key stands for.
type credential struct {
	id, secret, token string
	who               identity
	expires           time.Time // zero for users' keys
}

var (
	entityName = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
	entityARN  = regexp.MustCompile(`^arn:(aws[a-z-]*):iam::([0-9]{12}):(user|role)/((?:[!-~]+/)?)([\w+=,.@-]{1,64})$`)
)

func mustParse(document string, kind iam.Kind, what string) *iam.Policy {
	p, err := iam.Parse(document, kind)
	if err != nil {
		panic(fmt.Sprintf("ecrtest: %s: %v", what, err))
	}
	return p
}

func newRights(policies []string, boundary, what string) *rights {
	r := &rights{}
	for _, document := range policies {
		r.policies = append(r.policies, mustParse(document, iam.Identity, what))
	}
	if boundary != "" {
		r.boundary = mustParse(boundary, iam.Identity, what+"'s boundary")
	}
	return r
}

// entity resolves a name or ARN of a user or role.
func (s *Server) entity(kind, nameOrARN string) (arn, account, name string) {
	if m := entityARN.FindStringSubmatch(nameOrARN); m != nil && m[3] == kind {
		if m[1] != s.partition {
			panic(fmt.Sprintf("ecrtest: %s is of partition %s; the server is of %s", nameOrARN, m[1], s.partition))
		}
		return nameOrARN, m[2], m[5]
	}
	if !entityName.MatchString(nameOrARN) {
		panic(fmt.Sprintf("ecrtest: %q is neither a %s's name nor its ARN", nameOrARN, kind))
	}
	return "arn:" + s.partition + ":iam::" + s.cfg.Account + ":" + kind + "/" + nameOrARN, s.cfg.Account, nameOrARN
}

// AddUser makes a user and returns a key of it. It panics when there is one of that name.
func (s *Server) AddUser(def User) AccessKey {
	arn, account, name := s.entity("user", def.Name)
	def.Tags = maps.Clone(def.Tags)
	u := &user{def: def, arn: arn, account: account, name: name, id: randomID("AIDA")}
	u.rights = newRights(def.Policies, def.Boundary, "user "+name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[arn] != nil {
		panic("ecrtest: user " + arn + " exists")
	}
	s.users[arn] = u
	s.bind(arn, u.id)
	return s.newKey(u)
}

// AddAccessKey makes another key for a user, given by name or ARN.
func (s *Server) AddAccessKey(userName string) AccessKey {
	arn, _, _ := s.entity("user", userName)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[arn] == nil {
		panic("ecrtest: no user " + arn)
	}
	return s.newKey(s.users[arn])
}

func (s *Server) newKey(u *user) AccessKey {
	c := &credential{id: randomID("AKIA"), secret: randomSecret(30), who: identity{user: u}}
	s.keys[c.id] = c
	return AccessKey{ID: c.id, Secret: c.secret}
}

// DeleteAccessKey makes a key invalid from now on, be it a user's or a session's. An unknown one is ignored.
func (s *Server) DeleteAccessKey(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, id)
}

// UpdateUser changes a user's definition; a changed Name is ignored. change must not call the server's methods.
func (s *Server) UpdateUser(name string, change func(*User)) {
	arn, _, short := s.entity("user", name)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[arn]
	if u == nil {
		panic("ecrtest: no user " + arn)
	}
	change(&u.def)
	u.rights = newRights(u.def.Policies, u.def.Boundary, "user "+short)
}

// DeleteUser deletes a user and its keys. Policies that name it don't name a later user of that name.
func (s *Server) DeleteUser(name string) {
	arn, _, _ := s.entity("user", name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[arn]; u != nil {
		u.deleted = true
		delete(s.users, arn)
	}
}

// AddRole makes a role and returns its ARN. It panics when there is one of that ARN: a role is changed with UpdateRole,
// and made anew, as another principal, with DeleteRole and AddRole.
func (s *Server) AddRole(def Role) string {
	arn, account, name := s.entity("role", def.Name)
	r := &role{arn: arn, account: account, name: name, id: randomID("AROA")}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.roles[arn] != nil {
		panic("ecrtest: role " + arn + " exists")
	}
	r.define(def)
	s.roles[arn] = r
	s.bind(arn, r.id)
	s.bindNew(r.trust)
	return arn
}

func (r *role) define(def Role) {
	if def.MaxSessionDuration == 0 {
		def.MaxSessionDuration = time.Hour
	}
	if def.MaxSessionDuration < time.Hour || def.MaxSessionDuration > 12*time.Hour {
		panic(fmt.Sprintf("ecrtest: role %s: MaxSessionDuration %s isn't between 1h and 12h", r.name, def.MaxSessionDuration))
	}
	rights := newRights(def.Policies, def.Boundary, "role "+r.name)
	// An unchanged trust policy isn't saved again, so that it goes on naming whom it named.
	if r.trust == nil || def.Trust != r.def.Trust {
		r.trust = mustParse(def.Trust, iam.Trust, "role "+r.name+"'s trust policy")
	}
	def.Tags = maps.Clone(def.Tags)
	r.def, r.rights = def, rights
}

// UpdateRole changes a role's definition; a changed Name is ignored. A trust policy that is changed is saved anew, with
// principals looked up again. change must not call the server's methods.
func (s *Server) UpdateRole(name string, change func(*Role)) {
	arn, _, _ := s.entity("role", name)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.roles[arn]
	if r == nil {
		panic("ecrtest: no role " + arn)
	}
	def := r.def
	change(&def)
	r.define(def)
	s.bindNew(r.trust)
}

// DeleteRole deletes a role; its sessions' keys become invalid. Policies that name it don't name a later role of that
// name.
func (s *Server) DeleteRole(name string) {
	arn, _, _ := s.entity("role", name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.roles[arn]; r != nil {
		r.deleted = true
		delete(s.roles, arn)
	}
}

// bind stores the id of a new user or role in all policies that were waiting for it.
func (s *Server) bind(arn, id string) {
	for _, r := range s.roles {
		r.trust.Bind(arn, id)
	}
	for _, reg := range s.registries {
		if reg.policy != nil {
			reg.policy.Bind(arn, id)
		}
		for _, repo := range reg.repositories {
			if repo.policy != nil {
				repo.policy.Bind(arn, id)
			}
		}
	}
}

// bindNew stores the ids of those whom a newly saved policy names.
func (s *Server) bindNew(p *iam.Policy) {
	for _, arn := range p.Principals() {
		if u := s.users[arn]; u != nil {
			p.Bind(arn, u.id)
		}
		if r := s.roles[arn]; r != nil {
			p.Bind(arn, r.id)
		}
	}
}

func (i identity) arn() string {
	if i.user != nil {
		return i.user.arn
	}
	return i.session.arn()
}

func (i identity) account() string {
	if i.user != nil {
		return i.user.account
	}
	return i.session.role.account
}

// userID is the id as GetCallerIdentity has it.
func (i identity) userID() string {
	if i.user != nil {
		return i.user.id
	}
	return i.session.role.id + ":" + i.session.name
}

func (i identity) deleted() bool {
	if i.user != nil {
		return i.user.deleted
	}
	return i.session.role.deleted
}

func (i identity) rights() *rights {
	if i.user != nil {
		return i.user.rights
	}
	return i.session.role.rights
}

func (i identity) principal() iam.Principal {
	if i.user != nil {
		return iam.Principal{ARN: i.user.arn, ID: i.user.id, Account: i.user.account}
	}
	r := i.session.role
	return iam.Principal{ARN: i.session.arn(), RoleARN: r.arn, ID: r.id, Account: r.account}
}

func (i identity) sessionPolicies() []*iam.Policy {
	if i.session == nil {
		return nil
	}
	return i.session.policies
}

func (s *session) arn() string {
	partition := strings.Split(s.role.arn, ":")[1]
	return "arn:" + partition + ":sts::" + s.role.account + ":assumed-role/" + s.role.name + "/" + s.name
}

// newSession makes a session's key.
func (s *Server) newSession(ses *session) *credential {
	s.prune()
	c := &credential{id: randomID("ASIA"), secret: randomSecret(30), token: randomSecret(240), who: identity{session: ses},
		expires: ses.expires}
	s.keys[c.id] = c
	return c
}

// prune forgets what expired a day ago, so that a server may run for long. It looks when there is twice as much as
// before.
func (s *Server) prune() {
	if len(s.keys)+len(s.tokens) < s.pruneAt {
		return
	}
	defer func() { s.pruneAt = max(4096, 2*(len(s.keys)+len(s.tokens))) }()
	old := s.now().Add(-24 * time.Hour)
	maps.DeleteFunc(s.keys, func(_ string, c *credential) bool { return !c.expires.IsZero() && c.expires.Before(old) })
	maps.DeleteFunc(s.tokens, func(_ string, t *token) bool { return t.expires.Before(old) })
}

// authenticate finds out who signed a request and for which region.
func (s *Server) authenticate(r *http.Request, body []byte, service string, c *Call) (identity, *awsError) {
	sig, aerr := parseSignature(r.Header.Get("Authorization"))
	if aerr != nil {
		return identity{}, aerr
	}
	now := s.now()
	unknown := forbidden("InvalidClientTokenId", "The security token included in the request is invalid.")
	s.mu.Lock()
	key := s.keys[sig.accessKeyID]
	gone := key == nil || key.who.deleted()
	s.mu.Unlock()
	if gone || r.Header.Get("X-Amz-Security-Token") != key.token {
		return identity{}, unknown
	}
	if sig.service != service {
		return identity{}, forbidden("SignatureDoesNotMatch",
			"Credential should be scoped to correct service: '%s'.", service)
	}
	want := ""
	if m := apiHostPattern.FindStringSubmatch(r.Host); m != nil {
		if want = m[1]; want == "amazonaws" { // sts.amazonaws.com
			want = "us-east-1"
		}
	}
	if !s.knownRegion(sig.region) || want != "" && want != sig.region {
		return identity{}, forbidden("SignatureDoesNotMatch", "Credential should be scoped to a valid region.")
	}
	if aerr := sig.verify(r, body, key.secret, key.token, now); aerr != nil {
		return identity{}, aerr
	}
	if !key.expires.IsZero() && !now.Before(key.expires) {
		return identity{}, forbidden("ExpiredToken", "The security token included in the request is expired")
	}
	c.Region, c.Principal = sig.region, key.who.arn()
	return key.who, nil
}

// context makes the condition keys that every request has. See the IAM User Guide, "AWS global condition context keys".
func (s *Server) context(who identity, region string, r *http.Request) iam.Context {
	now := s.now().UTC()
	ctx := iam.Context{}
	ctx.Set("aws:CurrentTime", now.Format(time.RFC3339))
	ctx.Set("aws:EpochTime", strconv.FormatInt(now.Unix(), 10))
	ctx.Set("aws:SecureTransport", "true") // AWS has no other
	ctx.Set("aws:RequestedRegion", region)
	ctx.Set("aws:ViaAWSService", "false")
	ctx.Set("aws:PrincipalIsAWSService", "false")
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil { // in memory there is no address
		ctx.Set("aws:SourceIp", host)
	}
	if agent := r.UserAgent(); agent != "" {
		ctx.Set("aws:UserAgent", agent)
	}
	if who == (identity{}) {
		return ctx
	}
	ctx.Set("aws:PrincipalAccount", who.account())
	ctx.Set("aws:PrincipalOrgID", s.cfg.OrganizationID)
	ctx.Set("aws:userid", who.userID())
	var tags map[string]string
	if who.user != nil {
		ctx.Set("aws:PrincipalArn", who.user.arn)
		ctx.Set("aws:PrincipalType", "User")
		ctx.Set("aws:username", who.user.name)
		tags = who.user.def.Tags
	} else {
		ctx.Set("aws:PrincipalArn", who.session.role.arn)
		ctx.Set("aws:PrincipalType", "AssumedRole")
		ctx.Set("aws:TokenIssueTime", who.session.issued.UTC().Format(time.RFC3339))
		if who.session.sourceID != "" {
			ctx.Set("aws:SourceIdentity", who.session.sourceID)
		}
		for key, value := range who.session.federated {
			ctx.Set(key, value)
		}
		ctx.SetTags("aws:PrincipalTag", who.session.role.def.Tags)
		tags = who.session.tags
	}
	ctx.SetTags("aws:PrincipalTag", tags)
	return ctx
}

// requestTags adds the keys for tags that a request carries.
func requestTags(ctx iam.Context, tags map[string]string) {
	ctx.SetTags("aws:RequestTag", tags)
	ctx.Set("aws:TagKeys", slices.Sorted(maps.Keys(tags))...)
}

// denial words a denied request as AWS does.
func denial(who identity, action, resource string, d iam.Decision) string {
	text := "User: " + who.arn() + " is not authorized to perform: " + action
	if resource != "" {
		text += " on resource: " + resource
	}
	return text + " " + d.Because(action)
}
