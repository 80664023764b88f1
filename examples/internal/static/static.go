// Package static authenticates and authorizes callers by the configuration's static tokens.
package static

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

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
	callers []Caller
	ends    []time.Time // of each caller's tokens; zero is never
	fixed   []entry
	files   *files
}

// New returns tokens that were validated when they were loaded. A file of them that can't be read, or isn't right, is an error now; later it is
// logged. exposed says that others than this machine reach what tokens open.
func New(tokens []config.Token, exposed bool, log *slog.Logger) (*Tokens, error) {
	t := &Tokens{files: &files{exposed: exposed, log: log}}
	for i, token := range tokens {
		access := token.Access
		if access == 0 {
			access = provider.Pull
		}
		t.callers = append(t.callers, Caller{subject: token.Subject, projects: token.Projects, access: access, login: token.Login})
		t.ends = append(t.ends, token.Ends())
		if t.ended(i) {
			log.Warn("a token has expired, and authenticates nobody", "subject", token.Subject, "expires", token.Expires)
		}
		if hash, ok := token.Hash(); ok {
			t.fixed = append(t.fixed, entry{hash, i})
		} else {
			t.files.all = append(t.files.all, &file{path: token.File, caller: i, key: fmt.Sprintf("auth.tokens[%d].token_file", i)})
		}
	}
	return t, t.files.open(t.fixed)
}

func (t *Tokens) ended(caller int) bool {
	return !t.ends[caller].IsZero() && !time.Now().Before(t.ends[caller])
}

// Authenticate compares the request's token with all configured ones, in a time that tells nothing of them.
func (t *Tokens) Authenticate(r *http.Request) (Caller, error) {
	token, ok := endpoint.BearerToken(r)
	hash := sha256.Sum256([]byte(token.Reveal()))
	found := -1
	for _, entries := range [][]entry{t.fixed, t.files.entries()} {
		for i := range entries {
			if subtle.ConstantTimeCompare(hash[:], entries[i].hash[:]) == 1 {
				found = entries[i].caller
			}
		}
	}
	if !ok || found < 0 || t.ended(found) {
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
