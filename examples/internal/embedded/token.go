package embedded

import (
	"crypto"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// Tokens are whose tokens are taken, and for whom.
type Tokens struct {
	Keys            Keys
	Issuer, Service string
}

// access is what a token can do with one thing (distribution, "Token Authentication Implementation").
type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

// leeway is what distribution's registry has too.
const leeway = time.Minute

// accessOf verifies a token and returns what it can do: perhaps nothing.
func (t Tokens) accessOf(token string) ([]access, error) {
	return t.read(t.Keys.public, token, time.Now())
}

func (t Tokens) read(key crypto.PublicKey, token string, now time.Time) ([]access, error) {
	signed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, err
	}
	var claims jwt.Claims
	var rights struct {
		Access []access `json:"access"`
	}
	if err := signed.Claims(key, &claims, &rights); err != nil {
		return nil, err
	}
	if claims.Expiry == nil { // which go-jose would let live for ever
		return nil, errors.New("it has no end")
	}
	return rights.Access, claims.ValidateWithLeeway(jwt.Expected{Issuer: t.Issuer, AnyAudience: jwt.Audience{t.Service}, Time: now}, leeway)
}

const (
	typeRepository = "repository"
	pull, push     = "pull", "push"
)

// needed is what a request needs, as scopes name it: nothing for a ping.
func needed(a imageregistry.Access) (scope access, ok bool) {
	actions := []string{pull}
	switch a.Action {
	case imageregistry.Ping:
		return access{}, false
	case imageregistry.Catalog:
		return access{"registry", "catalog", []string{"*"}}, true
	case imageregistry.Push:
		actions = []string{pull, push} // as registries ask for: clients read what is there before they write
	case imageregistry.Delete:
		actions = []string{"delete"}
	case imageregistry.Pull, imageregistry.MountFrom, imageregistry.ListTags, imageregistry.ListReferrers:
	}
	return access{typeRepository, a.Repository, actions}, true
}

// allowed reports whether some of what a token can do is all of scope.
func (scope access) allowed(rights []access) bool {
	return !slices.ContainsFunc(scope.Actions, func(action string) bool {
		return !slices.ContainsFunc(rights, func(a access) bool {
			return a.Type == scope.Type && a.Name == scope.Name && slices.Contains(a.Actions, action)
		})
	})
}

func (scope access) String() string {
	return scope.Type + ":" + scope.Name + ":" + strings.Join(scope.Actions, ",")
}
