package server

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/ecrlocal"
	"github.com/rise-deploy/rise-registry-go/examples/internal/service"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Welcome tells a newcomer what to try. Only the built-in configuration's token is shown: everybody knows it. installed says which programs there are.
func (s *Server) Welcome(w io.Writer, installed func(program string) bool) {
	now := s.serving.Load()
	c := now.Config
	scheme := "http"
	if c.Server.TLS.Enabled() {
		scheme = "https"
	}
	url := fmt.Sprintf("%s://%s%s", scheme, s.endpoint().listener.Addr(), CredentialsPath)
	_, _ = fmt.Fprintf(w, "Serving registry credentials (%s). ", c.Registry.Type)
	ask := func(token string) string {
		return fmt.Sprintf("curl -H \"Authorization: Bearer %s\" '%s?%s'", token, url, question(c.Auth.Tokens))
	}
	switch {
	case s.builder.Own.Callers != nil:
		_, _ = fmt.Fprintf(w, "They are at %s?project=NAME\n\n", url)
	case len(c.Auth.Tokens) == 0 && len(c.Auth.OIDC) > 0:
		_, _ = fmt.Fprintf(w, "They are at %s?project=NAME, for tokens of the issuers in auth.oidc.\n\n", url)
	case len(c.Auth.Tokens) == 0:
		_, _ = fmt.Fprintf(w, "Nobody may ask for any: auth has neither tokens nor oidc.\n\n")
	case c.BuiltIn:
		if steps, err := tour(now, ask(config.DevelopmentToken)); err == nil {
			steps.print(w, installed)
		}
		if s.aws != nil {
			_, _ = fmt.Fprintf(w, "The operator works on the same account, with this line in its terminal (for as long as this server runs):\n\n  export RISE_CONFIG_RUN_MODE=%s %s='%s'\n\n",
				ecrlocal.Mode, ecrlocal.EnvFile, s.aws.file)
		}
	default:
		_, _ = fmt.Fprintf(w, "Try:\n\n  %s\n\n", ask("$TOKEN"))
	}
}

// tour is the walk through what the built-in configuration serves.
func tour(now *service.Service, ask string) (w walk, err error) {
	w = walk{ask: ask, user: "AWS"}
	if w.hello, err = now.Provider.Repository("hello", provider.Client); err != nil {
		return w, err
	}
	if _, issuer := now.Config.Registry.Section().(*tokenissuer.Config); issuer {
		w.user, w.service = "rise", w.hello.RegistryStr()
	}
	w.other, err = now.Provider.Repository("other", provider.Client)
	return w, err
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
