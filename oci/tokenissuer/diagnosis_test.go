package tokenissuer_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

func diagnose(t *testing.T, p *tokenissuer.Provider, o diagnosis.Options) map[string]diagnosis.Finding {
	t.Helper()
	findings, err := diagnosis.Of(t.Context(), p, o)
	require.NoError(t, err)
	found := map[string]diagnosis.Finding{}
	for f := range findings {
		require.NotContains(t, found, f.Check)
		found[f.Check] = f
		text, err := json.Marshal(f)
		require.NoError(t, err)
		require.NotContains(t, string(text), "eyJ", "no grant and no token shows")
		if f.Status == diagnosis.Failed || f.Status == diagnosis.Warned {
			require.NotEmpty(t, f.Remedy, f.Check)
		}
	}
	return found
}

// With all as it should be, all checks pass, on a real registry.
func TestDiagnosisPasses(t *testing.T) {
	t.Parallel()
	realtest.Program(t, "docker-registry")
	s, address := newSigning(t), realtest.FreeAddress(t)
	c := tokenissuer.Config{RegistryURL: address, ClientRegistryURL: strings.Replace(address, "127.0.0.1", "localhost", 1), Namespace: "rise-apps", TokenService: "our registry"}
	p := newProvider(t, c, s)
	x := &exchanges{}
	realtest.TokenRegistry(t, address, serveToken(t, p, allGood, nil, x.option()), "our registry", "rise", s.authorityPEM)
	for _, o := range []diagnosis.Options{{}, {Project: "hello"}, {Project: "hello", WriteProbe: true}} {
		found := diagnose(t, p, o)
		want := 7
		if o.Project != "" {
			want = 9
		}
		require.Len(t, found, want)
		for check, f := range found {
			if check == "push_access" && !o.WriteProbe {
				require.Equal(t, diagnosis.Skipped, f.Status)
				continue
			}
			require.Equal(t, diagnosis.Passed, f.Status, "%s: %s", check, f.Summary)
		}
	}
	require.NotEmpty(t, x.all)
	for _, one := range x.all {
		require.Empty(t, one.Granted)
		require.Equal(t, 401, one.Status, "it shows nothing that is good for anything")
	}
}

// The first trouble is the cause.
func TestDiagnosisFinds(t *testing.T) {
	t.Parallel()
	type set struct {
		config tokenissuer.Config // of the service that diagnoses
		keys   signing
		served tokenissuer.Config // of the service at the realm
		realm  string             // empty: the service's
		// authorize is the registry's; nil is as it should be.
		authorize imageregistry.Authorize
		authority signing // the registry's
		service   string  // the registry's
	}
	authority := newSigning(t)
	for name, test := range map[string]struct {
		breaks      func(*testing.T, *set)
		check, says string
	}{
		"nothing":       {func(*testing.T, *set) {}, "", ""},
		"open registry": {func(_ *testing.T, s *set) { s.authorize = imageregistry.AllowAll }, "challenge", "the registry asks for no token"},
		"Basic": {func(_ *testing.T, s *set) {
			s.authorize = func(*http.Request, imageregistry.Access) *imageregistry.Error {
				return &imageregistry.Error{Status: 401, Code: "UNAUTHORIZED", Header: http.Header{"Www-Authenticate": {`Basic realm="x"`}}}
			}
		}, "challenge", "the registry asks for no token"},
		"another service": {func(_ *testing.T, s *set) { s.service = "another" }, "challenge", `the registry asks for tokens for the service "another", and token_service is "our registry"`},
		"nobody at the realm": {func(t *testing.T, s *set) {
			s.realm = "http://" + strings.Replace(realtest.ClosedAddress(t), "127.0.0.1", "localhost", 1) + "/token"
		}, "token_service", "the realm that the registry names can't be used: nothing listens at"},
		"a website at the realm": {func(t *testing.T, s *set) { s.realm = serveAnything(t, http.StatusOK) }, "token_service", "what answers at the registry's realm, with 200, isn't this service"},
		"a 404 at the realm":     {func(t *testing.T, s *set) { s.realm = serveAnything(t, http.StatusNotFound) }, "token_service", "what answers at the registry's realm, with 404, isn't this service"},
		"a redirect":             {func(t *testing.T, s *set) { s.realm = serveAnything(t, http.StatusFound) }, "token_service", "redirects elsewhere"},
		"a busy realm":           {func(t *testing.T, s *set) { s.realm = serveAnything(t, http.StatusTooManyRequests) }, "token_service", "fails or is busy: 429"},
		"other keys at the realm": {func(t *testing.T, s *set) {
			var err error
			s.keys.key, s.keys.certificatePEM, err = s.keys.authority.NewSigningKey(365 * 24 * time.Hour)
			require.NoError(t, err)
		}, "token_service", "a service of this kind, with other signing keys or another configuration"},
		"another namespace there": {func(_ *testing.T, s *set) { s.served.Namespace = "x" }, "token_service", "a service of this kind, with other signing keys or another configuration"},
		"another issuer":          {func(_ *testing.T, s *set) { s.config.TokenIssuer, s.served.TokenIssuer = "x", "x" }, "token", "the registry takes no token of this service's"},
		"another authority":       {func(t *testing.T, s *set) { s.authority = newSigning(t) }, "token", "the registry takes no token of this service's"},
		"rights aren't looked at": {func(_ *testing.T, s *set) {
			s.authorize = func(r *http.Request, a imageregistry.Access) *imageregistry.Error {
				if strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
					return nil
				}
				return authorizeByToken(r, a, authority, "our registry", s.realm)
			}
		}, "other_repository", "a token for one project's repository opens another"},
		"no pulls": {func(_ *testing.T, s *set) {
			s.authorize = func(r *http.Request, a imageregistry.Access) *imageregistry.Error {
				if a.Repository == "rise-apps/hello" {
					return &imageregistry.Error{Status: 500, Code: "UNKNOWN"}
				}
				return authorizeByToken(r, a, authority, "our registry", s.realm)
			}
		}, "pull_access", "the registry answered 500 to a token that may pull from rise-apps/hello"},
		"the certificate ends soon": {func(t *testing.T, s *set) {
			var err error
			s.keys.key, s.keys.certificatePEM, err = s.keys.authority.NewSigningKey(10 * time.Minute)
			require.NoError(t, err)
		}, "signing_keys", "the signing certificate ends on "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &set{keys: authority, authority: authority, service: "our registry"}
			registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				authorize := s.authorize
				if authorize == nil {
					authorize = func(r *http.Request, a imageregistry.Access) *imageregistry.Error {
						return authorizeByToken(r, a, s.authority, s.service, s.realm)
					}
				}
				imageregistry.New(authorize).ServeHTTP(w, r)
			}))
			t.Cleanup(registry.Close)
			s.config = tokenissuer.Config{RegistryURL: registry.Listener.Addr().String(), Namespace: "rise-apps", TokenService: "our registry"}
			s.served = s.config
			test.breaks(t, s)
			if s.realm == "" {
				s.realm = serveToken(t, newProvider(t, s.served, authority), allGood, nil, silent())
			}
			p := newProvider(t, s.config, s.keys)
			findings, err := diagnosis.Of(t.Context(), p, diagnosis.Options{Project: "hello"})
			require.NoError(t, err)
			for f := range findings {
				if f.Status == diagnosis.Failed || f.Status == diagnosis.Warned {
					require.Equal(t, test.check, f.Check, f.Summary)
					require.Contains(t, f.Summary, test.says)
					return
				}
			}
			require.Empty(t, test.check, "nothing was found")
		})
	}
}

// serveAnything answers everything so, and returns a realm.
func serveAnything(t *testing.T, status int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if status/100 == 3 {
			w.Header().Set("Location", "https://registry.example.com/token")
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/token"
}
