package providertest_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/provider/providertest"
)

// TestClientAuth: oci-client-auth isolates nothing, and says so.
func TestClientAuth(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]*authn.Basic{
		"anonymous": nil,
		"own login": {Username: "ci", Password: "the client's own password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, func(t *testing.T) providertest.Harness { return newClientAuthHarness(t, own) })
		})
	}
}

func newClientAuthHarness(t *testing.T, own *authn.Basic) providertest.Harness {
	server := httptest.NewServer(loginNeeded(own, registry.New(registry.Logger(log.New(io.Discard, "", 0)))))
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	p, err := oci.NewClientAuth(oci.ClientAuthConfig{
		RegistryURL:       address,                                               // 127.0.0.1
		ClientRegistryURL: strings.Replace(address, "127.0.0.1", "localhost", 1), // the same under another name
		Namespace:         "rise-apps",
	})
	require.NoError(t, err)
	var keychain authn.Keychain
	if own != nil {
		keychain = authn.NewKeychainFromHelper(helper{own})
	}
	return providertest.Harness{
		Provider: p,
		Type:     oci.TypeClientAuth,
		Own:      keychain,
		Cannot: map[providertest.Ability]string{
			providertest.Isolation:  "what a client can do is up to its own login",
			providertest.ProjectIDs: "a client's own login is nothing of ours",
			providertest.Suspension: "a client's own login is nothing of ours",
			providertest.Secrets:    "it knows none",
			providertest.Expiry:     "the client's own login ends when it ends",
			providertest.Upstream:   "it calls nothing",
		},
	}
}

// helper is a docker credential helper with one login for everything.
type helper struct{ login *authn.Basic }

func (h helper) Get(string) (username, password string, err error) {
	return h.login.Username, h.login.Password, nil
}

// loginNeeded asks for login, if there is one.
func loginNeeded(login *authn.Basic, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		username, password, _ := r.BasicAuth()
		if login != nil && (username != login.Username || password != login.Password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			http.Error(w, "log in", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
