package tokenauth_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// upstream is a real registry whose token server is our own oci-token-issuer, on one host: it knows the two logins of the service.
type upstream struct {
	address string
	behind  string       // the registry itself
	asked   atomic.Int32 // the token server
}

func newUpstream(t *testing.T, program string) *upstream {
	t.Helper()
	realtest.Program(t, program)
	authority, err := tokenkeys.NewAuthority()
	require.NoError(t, err)
	key, certificate, err := authority.NewSigningKey(24 * time.Hour)
	require.NoError(t, err)
	u := &upstream{behind: realtest.FreeAddress(t)}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: u.behind})
			r.Out.Host = r.In.Host
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	var tokens http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			u.asked.Add(1)
			tokens.ServeHTTP(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	u.address = server.Listener.Addr().String()
	issuer, err := tokenissuer.New(tokenissuer.Config{RegistryURL: u.address, Namespace: "rise-apps"}, tokenissuer.WithKeys(key, certificate))
	require.NoError(t, err)
	tokens = issuer.Handler(func(context.Context, tokenissuer.Question) error { return nil }, logins,
		tokenissuer.WithAudit(func(context.Context, tokenissuer.Exchange) error { return nil }))
	realtest.TokenRegistryOf(t, program, u.behind, server.URL+"/token", u.address, "rise", authority.CertificatePEM())
	return u
}

// logins knows the service's: one may do everything, the other pull.
func logins(_ *http.Request, given provider.Secret, asked []provider.Request) (string, []provider.Request, error) {
	switch given.Reveal() {
	case password:
		return user, asked, nil
	case pullPassword:
		var granted []provider.Request
		for _, r := range asked {
			r.Access = provider.Pull
			granted = append(granted, r)
		}
		return pullUser, granted, nil
	}
	return "", nil, &provider.Error{Kind: provider.ErrAccessDenied}
}

func (u *upstream) config() tokenauth.Config {
	return tokenauth.Config{
		RegistryURL: u.address, Namespace: "rise-apps", Username: user, Password: provider.NewSecret(password),
		PullUsername: pullUser, PullPassword: provider.NewSecret(pullPassword),
	}
}

// ref is a project's image.
func (u *upstream) ref(project string) string { return u.address + "/rise-apps/" + project + ":1.0.0" }
