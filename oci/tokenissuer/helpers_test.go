package tokenissuer_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// host is the registry of tests that need none.
const host = "registry.example.com"

// signing is an authority and a signing key below it.
type signing struct {
	authority                         *tokenkeys.Authority
	authorityPEM, key, certificatePEM []byte
}

func newSigning(t *testing.T) signing {
	t.Helper()
	a, err := tokenkeys.NewAuthority()
	require.NoError(t, err)
	s := signing{authority: a, authorityPEM: a.CertificatePEM()}
	s.key, s.certificatePEM, err = a.NewSigningKey(365 * 24 * time.Hour)
	require.NoError(t, err)
	return s
}

// next is another signing key below the same authority.
func (s signing) next(t *testing.T) signing {
	t.Helper()
	var err error
	s.key, s.certificatePEM, err = s.authority.NewSigningKey(365 * 24 * time.Hour)
	require.NoError(t, err)
	return s
}

func (s signing) option() tokenissuer.Option { return tokenissuer.WithKeys(s.key, s.certificatePEM) }

func quiet() tokenissuer.Option { return tokenissuer.WithLogger(slog.New(slog.DiscardHandler)) }

func silent() tokenissuer.HandlerOption {
	return tokenissuer.WithAudit(func(context.Context, tokenissuer.Exchange) error { return nil })
}

func config() tokenissuer.Config {
	return tokenissuer.Config{RegistryURL: host, Namespace: "rise-apps"}
}

func newProvider(t *testing.T, c tokenissuer.Config, s signing) *tokenissuer.Provider {
	t.Helper()
	p, err := tokenissuer.New(c, s.option(), quiet())
	require.NoError(t, err)
	return p
}

// allGood is a service that suspends nobody.
func allGood(context.Context, tokenissuer.Question) error { return nil }

// exchanges are those that a handler told of.
type exchanges struct {
	mu  sync.Mutex
	all []tokenissuer.Exchange
}

func (e *exchanges) hook(_ context.Context, x tokenissuer.Exchange) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, x)
	return nil
}

func (e *exchanges) last() tokenissuer.Exchange {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.all[len(e.all)-1]
}

func (e *exchanges) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.all)
}

func (e *exchanges) option() tokenissuer.HandlerOption { return tokenissuer.WithAudit(e.hook) }

func grantFor(t *testing.T, p provider.Provider, r provider.Request) string {
	t.Helper()
	c, err := provider.Issue(t.Context(), p, r)
	require.NoError(t, err)
	require.Equal(t, provider.LoginCredentials, c.Method)
	require.Equal(t, "rise", c.Username)
	return c.Password.Reveal()
}

func push(project string) provider.Request {
	return provider.Request{Project: project, Access: provider.Push, Caller: "alice"}
}

// reply is what /token says.
type reply struct {
	status  int
	header  http.Header
	message string // of the error
	code    string
	body    map[string]any
	claims  map[string]any // of the token
	jose    map[string]any // its header
}

// access is what the token can do, as scopes.
func (r reply) access() []string {
	var scopes []string
	for _, one := range r.claims["access"].([]any) {
		a := one.(map[string]any)
		var actions []string
		for _, action := range a["actions"].([]any) {
			actions = append(actions, action.(string))
		}
		scopes = append(scopes, a["type"].(string)+":"+a["name"].(string)+":"+strings.Join(actions, ","))
	}
	return scopes
}

// exchange asks by GET.
func exchange(t *testing.T, h http.Handler, password string, scopes ...string) reply {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/token?"+url.Values{"service": {host}, "scope": scopes}.Encode(), nil)
	if password != "" {
		r.SetBasicAuth("rise", password)
	}
	return send(t, h, r)
}

func send(t *testing.T, h http.Handler, r *http.Request) reply {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	got := reply{status: w.Code, header: w.Header()}
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got.body), w.Body.String())
	if w.Code != http.StatusOK {
		one := got.body["errors"].([]any)[0].(map[string]any)
		got.code, got.message = one["code"].(string), one["message"].(string)
		return got
	}
	token := got.body["token"].(string)
	require.Equal(t, map[string]any{"token": token, "access_token": token, "expires_in": got.body["expires_in"]}, got.body)
	got.jose, got.claims = decodeJWT(t, token)
	return got
}

func decodeJWT(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, into))
	}
	return header, claims
}

// newRequest is a login.
func newRequest(password string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/token", nil)
	r.SetBasicAuth("rise", password)
	return r
}
