package tokenauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/tokenauthtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/providertest"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// The contract, with a token server of each way: one that narrows with a registry in memory, and one that doesn't before a real registry.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]tokenauthtest.Kind{"GitLab in memory": tokenauthtest.GitLab, "Harbor docker-registry": tokenauthtest.Harbor} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inMemory := !strings.HasSuffix(name, "docker-registry")
			if !inMemory {
				if some > 1 {
					t.Skip("with the race detector, the registry in memory is enough")
				}
				realtest.Program(t, "docker-registry")
			}
			providertest.Run(t, func(t *testing.T) providertest.Harness {
				s := newServer(t, kind)
				if !inMemory {
					serveReal(t, "docker-registry", s)
				}
				return harness(t, s)
			})
		})
	}
}

// serveReal puts a real registry behind s.
func serveReal(t *testing.T, program string, s *tokenauthtest.Server) {
	t.Helper()
	address := realtest.FreeAddress(t)
	realtest.TokenRegistryOf(t, program, address, s.TokenURL, s.Service(), s.Issuer(), s.Authority())
	s.Proxy(address)
}

func harness(t *testing.T, s *tokenauthtest.Server) providertest.Harness {
	p, err := tokenauth.New(configFor(s))
	require.NoError(t, err)
	return providertest.Harness{
		Provider:     p,
		Type:         tokenauth.Type,
		Capabilities: []providertest.Capability{providertest.Has[repository.PushCreator]()},
		Secrets:      func() []string { return []string{password} },
		Calls:        func() int { return len(s.Requests()) },
		Expiry:       func(c provider.Credentials) time.Time { return expiry(t, c) },
		Faults: map[providertest.Ability]func(){
			providertest.Denied:      status(s, http.StatusUnauthorized),
			providertest.Throttled:   status(s, http.StatusTooManyRequests),
			providertest.Unavailable: status(s, http.StatusBadGateway),
			providertest.Malformed: func() {
				atTokens(s, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>Welcome</html>")) })
			},
			providertest.Expired: func() {
				s.Claims(func(claims map[string]any) { claims["exp"] = time.Now().Add(-time.Minute).Unix() })
			},
			providertest.GrantsLess: func() {
				s.Grant(func(_ string, granted []tokenauthtest.Access) []tokenauthtest.Access {
					granted[0].Actions = granted[0].Actions[:len(granted[0].Actions)-1]
					return granted
				})
			},
			providertest.GrantsMore: func() {
				s.Grant(func(_ string, granted []tokenauthtest.Access) []tokenauthtest.Access {
					return append(granted, tokenauthtest.Access{Repository: "rise-apps/other", Actions: []string{"pull"}})
				})
			},
			providertest.Hanging: func() {
				end := make(chan struct{})
				t.Cleanup(func() { close(end) })
				atTokens(s, func(http.ResponseWriter, *http.Request) { <-end })
			},
		},
		Cannot: map[providertest.Ability]string{
			providertest.Cluster:    "the token server gives bearer tokens, which kubelets can't use",
			providertest.ProjectIDs: "the registry knows names alone",
			providertest.Suspension: "a token works until it ends",
		},
	}
}

// atTokens has the token server answer otherwise, and the registry as before.
func atTokens(s *tokenauthtest.Server, answer http.HandlerFunc) {
	s.Wrap(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(s.TokenURL, r.URL.Path) {
				next.ServeHTTP(w, r)
				return
			}
			answer(w, r)
		})
	})
}

func status(s *tokenauthtest.Server, code int) func() {
	return func() { atTokens(s, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }) }
}
