package tokenauthtest

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// gate decides which tokens the registry takes.
type gate struct {
	kind              Kind
	signer            signer
	service, tokenURL string // set before anybody comes

	mu     sync.Mutex
	opaque map[string]*Account // whose the tokens are that don't say what they can do
}

func (g *gate) know(token string, a *Account) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opaque[token] = a
}

// authorize is the registry in memory: it takes tokens as distribution's registry does, with no minute of leeway.
func (g *gate) authorize(r *http.Request, a imageregistry.Access) *imageregistry.Error {
	action := "pull"
	switch a.Action {
	case imageregistry.Ping:
		action = ""
	case imageregistry.Catalog:
		action = "*" // of registry:catalog, which nobody is given
	case imageregistry.Push:
		action = "push"
	case imageregistry.Delete:
		action = "delete"
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if ok && g.takes(token, a.Repository, action) {
		return nil
	}
	challenge := `Bearer realm="` + g.tokenURL + `",service="` + g.service + `"`
	if a.Repository != "" {
		challenge += `,scope="repository:` + a.Repository + ":" + strings.Replace(action, "push", "pull,push", 1) + `"`
	}
	return &imageregistry.Error{Status: http.StatusUnauthorized, Code: "UNAUTHORIZED", Message: "authentication required", Header: http.Header{"Www-Authenticate": {challenge}}}
}

// takes reports whether a token is good for that; without an action, whether it is good at all.
func (g *gate) takes(token, repository, action string) bool {
	if !g.kind.Scoped() {
		g.mu.Lock()
		account := g.opaque[token]
		g.mu.Unlock()
		return account != nil && (action == "" || slices.Contains(account.may(repository), action))
	}
	c, ok := g.signer.open(token)
	now := float64(time.Now().Unix())
	if !ok || c.Audience != g.service || now >= c.Expires || now < c.NotBefore {
		return false
	}
	if action == "" {
		return true
	}
	for _, a := range c.Access {
		if a.Type == "repository" && a.Name == repository && (slices.Contains(a.Actions, action) || slices.Contains(a.Actions, "*")) {
			return true
		}
	}
	return false
}
