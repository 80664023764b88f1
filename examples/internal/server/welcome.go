package server

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Welcome tells a newcomer what to try. Only the built-in configuration's token is shown: everybody knows it.
func (s *Server) Welcome(w io.Writer) {
	scheme := "http"
	if s.config.Server.TLS.Enabled() {
		scheme = "https"
	}
	url := fmt.Sprintf("%s://%s%s", scheme, s.endpoint().listener.Addr(), CredentialsPath)
	_, _ = fmt.Fprintf(w, "Serving registry credentials (%s). ", s.config.Registry.Type)
	switch {
	case s.own.Endpoint != nil:
		_, _ = fmt.Fprintf(w, "They are at %s?project=NAME\n\n", url)
		return
	case len(s.config.Auth.Tokens) == 0:
		_, _ = fmt.Fprintf(w, "Nobody may ask for any: auth.tokens is empty.\n\n")
		return
	}
	token := "$TOKEN"
	if s.config.BuiltIn {
		token = config.DevelopmentToken
	}
	_, _ = fmt.Fprintf(w, "Try:\n\n  curl -H \"Authorization: Bearer %s\" '%s?%s'\n\n",
		token, url, question(s.config.Auth.Tokens))
}

// question is a query that one of tokens is answered, if there is one with projects.
func question(tokens []config.Token) string {
	best := slices.MaxFunc(tokens, func(a, b config.Token) int {
		return cmp.Or(cmp.Compare(min(len(a.Projects), 1), min(len(b.Projects), 1)), cmp.Compare(a.Access, b.Access))
	})
	project := "hello"
	for _, p := range best.Projects {
		if name := strings.ReplaceAll(p, "*", "hello"); provider.ValidateProject(name) == nil {
			project = name
			break
		}
	}
	if best.Access != provider.Push {
		project += "&access=pull"
	}
	return "project=" + project
}
