package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/service"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

const oidcAudience = "https://rise.example.com"

// oidcIssuer is an issuer of tokens for jobs.
type oidcIssuer struct {
	url string
	key jose.JSONWebKey
}

func startOIDCIssuer(t *testing.T) *oidcIssuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	i := &oidcIssuer{key: jose.JSONWebKey{Key: key, KeyID: "k", Algorithm: string(jose.ES256), Use: "sig"}}
	mux := http.NewServeMux()
	answer := func(v func() any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v()) }
	}
	mux.Handle("GET /.well-known/openid-configuration", answer(func() any { return map[string]string{"issuer": i.url, "jwks_uri": i.url + "/keys"} }))
	mux.Handle("GET /keys", answer(func() any { return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.key.Public()}} }))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	i.url = s.URL
	return i
}

// token is a job's, of a repository of the owner.
func (i *oidcIssuer) token(t *testing.T, owner, repository, ref string, ends time.Duration) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: i.key}, nil)
	require.NoError(t, err)
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": i.url, "aud": oidcAudience, "sub": "repo:acme/" + repository, "iat": now.Add(-2 * time.Hour).Unix(), "exp": now.Add(ends).Unix(),
		"repository": "acme/" + repository, "repository_owner_id": owner, "ref": ref,
	})
	require.NoError(t, err)
	signed, err := signer.Sign(claims)
	require.NoError(t, err)
	text, err := signed.CompactSerialize()
	require.NoError(t, err)
	return text
}

// A job asks with its CI's own token, or logs in with it: nobody keeps a secret for it.
func TestOIDC(t *testing.T) {
	t.Parallel()
	issuer, registry := startOIDCIssuer(t), realtest.FreeAddress(t)
	config := fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
embedded_registry: {listen: "%[1]s"}
registry: {type: oci-token-issuer, registry_url: "%[1]s"}
auth:
  tokens:
    - {token: static-token-of-ci, subject: ci, projects: [other], access: push}
  oidc:
    - name: ci
      issuer: %[2]s
      audience: %[3]s
      rules:
        - {claims: {repository_owner_id: "1234", ref: refs/heads/main}, projects: ["{repository}"], access: push}
        - {claims: {repository_owner_id: "1234"}, projects: ["{repository}"]}
`, registry, issuer.url, oidcAudience)
	s := start(t, files(t, map[string]string{"development.yaml": config}))
	job := issuer.token(t, "1234", "hello", "refs/heads/main", time.Hour)
	branch := issuer.token(t, "1234", "hello", "refs/heads/mine", time.Hour)
	pushing := s.issue(t, job)
	require.Equal(t, registry+"/hello", pushing.RegistryURL)

	for _, tt := range []struct {
		token, query string
		status       int
	}{
		{job, "project=other", http.StatusNotFound},
		{branch, "project=hello", http.StatusNotFound},
		{branch, "project=hello&access=pull", http.StatusOK},
		{issuer.token(t, "5678", "hello", "refs/heads/main", time.Hour), "project=hello", http.StatusUnauthorized},
		{issuer.token(t, "1234", "hello", "refs/heads/main", -2*time.Minute), "project=hello", http.StatusUnauthorized},
		{startOIDCIssuer(t).token(t, "1234", "hello", "refs/heads/main", time.Hour), "project=hello", http.StatusUnauthorized},
		{job[:len(job)-4] + "AAAA", "project=hello", http.StatusUnauthorized},
		{"static-token-of-ci", "project=other", http.StatusOK},
		{"static-token-of-ci", "project=hello", http.StatusNotFound},
		{pushing.Password, "project=hello", http.StatusUnauthorized},
	} {
		status, body, _ := s.ask(t, tt.token, tt.query)
		require.Equal(t, tt.status, status, "%s: %s", tt.query, body)
	}
	log := s.output.String()
	require.Contains(t, log, "subject=ci:repo:acme/hello")
	require.Contains(t, log, "rules[0] came closest, but for repository_owner_id")
	for _, token := range []string{job, branch, pushing.Password} {
		require.NotContains(t, log, token[len(token)-40:])
	}

	// As a password, by a real client. A static token has to be meant for that.
	crane := craneClient(t)
	login := credentials{RegistryURL: registry + "/hello", Username: "rise", Password: job}
	out := crane.push(t, login, registry+"/hello:v1")
	require.NoError(t, out.Err, out.Text)
	require.Error(t, crane.push(t, login, registry+"/other:v1").Err)
	login.Password = branch
	require.NoError(t, crane.pull(t, login, registry+"/hello:v1").Err)
	require.Error(t, crane.push(t, login, registry+"/hello:v2").Err)
	login.Password = "static-token-of-ci"
	require.Error(t, crane.push(t, login, registry+"/other:v1").Err)
}

// A program that knows its callers by other means refuses issuers as it refuses tokens: nobody would look at them.
func TestOIDCBesideOwnCallers(t *testing.T) {
	t.Parallel()
	config := `
registry: {type: oci-client-auth, registry_url: "localhost:5000"}
auth: {oidc: [{name: ci, issuer: "https://ci.example.com", audience: rise.example.com, rules: [{claims: {owner: a}, projects: [hello]}]}]}
`
	own := service.Own{Callers: service.Callers(func(*http.Request) (caller, error) { return "", endpoint.ErrUnauthenticated },
		func(context.Context, caller, provider.Request) error { return nil })}
	_, err := newServer(t, files(t, map[string]string{"development.yaml": config}), own, io.Discard)
	require.ErrorContains(t, err, "auth.oidc")
}
