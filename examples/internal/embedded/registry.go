// Package embedded is the OCI registry inside the server, for development: in memory, and open to who has a token of the server's own.
package embedded

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// New returns the registry, with the token server at its own host. Its challenges point to realm or, without one, to where it was asked, at this
// machine's own names, and else to own, the address that it listens at.
func New(tokens Tokens, tokenServer http.Handler, realm, own string) http.Handler {
	challenge := func(r *http.Request) string {
		return fmt.Sprintf(`Bearer realm="%s",service="%s"`, cmp.Or(realm, realmFor(r, own)), tokens.Service)
	}
	images := imageregistry.New(func(r *http.Request, a imageregistry.Access) *imageregistry.Error {
		return authorize(tokens, r, a, challenge)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // http.ServeMux would mend paths
		switch r.URL.Path {
		case TokenPath, OtherTokenPath:
			tokenServer.ServeHTTP(w, r)
		default:
			images.ServeHTTP(w, r)
		}
	})
}

func authorize(tokens Tokens, r *http.Request, a imageregistry.Access, challenge func(*http.Request) string) *imageregistry.Error {
	scope, scoped := needed(a)
	refuse := func(parameters, sentence string) *imageregistry.Error {
		header := challenge(r)
		if scoped {
			header += `,scope="` + scope.String() + `"`
		}
		return &imageregistry.Error{
			Status: http.StatusUnauthorized, Code: "UNAUTHORIZED", Message: sentence, Header: http.Header{"Www-Authenticate": {header + parameters}},
		}
	}
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return refuse("", "A token is required: log in with a credential for your project.")
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if len(headers) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return refuse("", "A bearer token is required: log in with a credential for your project.")
	}
	rights, err := tokens.accessOf(strings.TrimSpace(token))
	if err != nil {
		return refuse(`,error="invalid_token"`, "The token isn't one that this registry takes, or has expired.")
	}
	if scoped && !scope.allowed(rights) {
		return refuse(`,error="insufficient_scope"`, fmt.Sprintf("The token is good for %s, and %s is needed.", goodFor(rights), scope))
	}
	return nil
}

// goodFor says what a token can do.
func goodFor(rights []access) string {
	var all []string
	for _, a := range rights {
		all = append(all, a.String())
	}
	return cmp.Or(strings.Join(all, " "), "a login alone")
}
