// Package static authenticates and authorizes callers by the configuration's static tokens.
package static

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// Caller is who a token belongs to.
type Caller struct {
	subject  string
	projects []string
	access   provider.Access
	login    bool
}

// Subject names the caller.
func (c Caller) Subject() string { return c.subject }

// Tokens are the configured tokens. They are safe for concurrent use.
type Tokens struct {
	hashes  [][sha256.Size]byte
	callers []Caller
}

// New returns tokens that were validated when they were loaded.
func New(tokens []config.Token) *Tokens {
	t := &Tokens{}
	for _, token := range tokens {
		access := token.Access
		if access == 0 {
			access = provider.Pull
		}
		t.hashes = append(t.hashes, sha256.Sum256([]byte(token.Token.Reveal())))
		t.callers = append(t.callers, Caller{subject: token.Subject, projects: token.Projects, access: access, login: token.Login})
	}
	return t
}

// Authenticate compares the request's token with all configured ones, in a time that tells nothing of them.
func (t *Tokens) Authenticate(r *http.Request) (Caller, error) {
	token, ok := endpoint.BearerToken(r)
	hash := sha256.Sum256([]byte(token.Reveal()))
	found := -1
	for i := range t.hashes {
		if subtle.ConstantTimeCompare(hash[:], t.hashes[i][:]) == 1 {
			found = i
		}
	}
	if !ok || found < 0 {
		return Caller{}, endpoint.ErrUnauthenticated
	}
	return t.callers[found], nil
}

// AuthenticateLogin is Authenticate for tokens as passwords, which only those may be that are meant to.
func (t *Tokens) AuthenticateLogin(r *http.Request) (Caller, error) {
	c, err := t.Authenticate(r)
	if err == nil && !c.login {
		return Caller{}, endpoint.ErrUnauthenticated
	}
	return c, err
}

// Authorize lets callers have what their token says. Every valid project name is a project.
func (t *Tokens) Authorize(_ context.Context, c Caller, r provider.Request) error {
	allowed := false
	for _, glob := range c.projects {
		allowed = matches(glob, r.Project) || allowed
	}
	if !allowed || !c.access.Includes(r.Access) {
		return provider.ErrNotFound
	}
	return nil
}

// matches reports whether name matches glob, in which * is any text.
func matches(glob, name string) bool {
	prefix, rest, wild := strings.Cut(glob, "*")
	if !wild {
		return glob == name
	}
	name, ok := strings.CutPrefix(name, prefix)
	for ok && strings.Contains(rest, "*") {
		var part string
		part, rest, _ = strings.Cut(rest, "*")
		_, name, ok = strings.Cut(name, part)
	}
	return ok && strings.HasSuffix(name, rest)
}
