package embedded_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/embedded"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const service = "127.0.0.1:5001"

// registry is one with its token server.
type registry struct {
	http.Handler
	issuer *tokenissuer.Provider
}

func newRegistry(t *testing.T, realm string) registry {
	t.Helper()
	keys, err := embedded.NewKeys()
	require.NoError(t, err)
	issuer, err := tokenissuer.New(tokenissuer.Config{RegistryURL: service}, keys.Option())
	require.NoError(t, err)
	tokens := issuer.Handler(func(context.Context, tokenissuer.Question) error { return nil }, nil,
		tokenissuer.WithAudit(func(context.Context, tokenissuer.Exchange) error { return nil }))
	return registry{embedded.New(embedded.Tokens{Keys: keys, Issuer: "rise", Service: service}, tokens, realm, service), issuer}
}

// do asks the registry, as somebody who knows it by that host.
func (g registry) do(t *testing.T, method, host, target string, authorization ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	r.Host = host
	for _, value := range authorization {
		r.Header.Add("Authorization", value)
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w.Result()
}

// token exchanges a credential of project's for a token.
func (g registry) token(t *testing.T, project string, scopes ...string) string {
	t.Helper()
	c, err := provider.Issue(t.Context(), g.issuer, provider.Request{Project: project, Access: provider.Push, Caller: "alice"})
	require.NoError(t, err)
	login := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password.Reveal()))
	got := g.do(t, http.MethodGet, service, "/token?"+url.Values{"service": {service}, "scope": scopes}.Encode(), login)
	require.Equal(t, http.StatusOK, got.StatusCode)
	var answer struct{ Token string }
	require.NoError(t, json.NewDecoder(got.Body).Decode(&answer))
	return answer.Token
}

// What a token of the server's own lets in, and what not.
func TestTokensOfItsOwn(t *testing.T) {
	t.Parallel()
	g := newRegistry(t, "")
	push, pull, login := g.token(t, "hello", "repository:hello:pull,push"), g.token(t, "hello", "repository:hello:pull"), g.token(t, "hello")
	const digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	for _, tt := range []struct {
		token, method, path string
		status              int
	}{
		{login, http.MethodGet, "/v2/", http.StatusOK},
		{push, http.MethodPost, "/v2/hello/blobs/uploads/", http.StatusAccepted},
		{push, http.MethodGet, "/v2/hello/manifests/v1", http.StatusNotFound},
		{push, http.MethodPost, "/v2/hello/blobs/uploads/?mount=" + digest + "&from=other", http.StatusAccepted},
		{push, http.MethodPost, "/v2/other/blobs/uploads/?mount=" + digest + "&from=hello", http.StatusUnauthorized},
		{push, http.MethodPost, "/v2/other/blobs/uploads/", http.StatusUnauthorized},
		{push, http.MethodGet, "/v2/other/tags/list", http.StatusUnauthorized},
		{push, http.MethodGet, "/v2/hello/web/tags/list", http.StatusUnauthorized},
		{push, http.MethodDelete, "/v2/hello/manifests/v1", http.StatusUnauthorized},
		{push, http.MethodDelete, "/v2/hello/blobs/" + digest, http.StatusUnauthorized},
		{push, http.MethodGet, "/v2/_catalog", http.StatusUnauthorized},
		{push, http.MethodGet, "/v2/other/../hello/manifests/v1", http.StatusBadRequest},
		{push, http.MethodGet, "/v2//hello/manifests/v1", http.StatusBadRequest},
		{pull, http.MethodPost, "/v2/hello/blobs/uploads/", http.StatusUnauthorized},
		{pull, http.MethodHead, "/v2/hello/blobs/" + digest, http.StatusNotFound},
		{pull, http.MethodGet, "/v2/hello/referrers/" + digest, http.StatusOK},
		{login, http.MethodGet, "/v2/hello/manifests/v1", http.StatusUnauthorized},
	} {
		got := g.do(t, tt.method, service, tt.path, "Bearer "+tt.token)
		require.Equal(t, tt.status, got.StatusCode, "%s %s", tt.method, tt.path)
		if tt.status == http.StatusUnauthorized {
			require.Contains(t, got.Header.Get("Www-Authenticate"), `Bearer realm="http://127.0.0.1:5001/token",service="127.0.0.1:5001",scope="`)
			require.Contains(t, got.Header.Get("Www-Authenticate"), `",error="insufficient_scope"`)
		}
	}
	got := g.do(t, http.MethodPost, service, "/v2/other/blobs/uploads/", "Bearer "+push)
	text, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	require.JSONEq(t, `{"errors":[{"code":"UNAUTHORIZED","message":"The token is good for repository:hello:pull,push, and repository:other:pull,push is needed."}]}`, string(text))
	require.Contains(t, got.Header.Get("Www-Authenticate"), `,scope="repository:other:pull,push",`)
}

// Nothing else is let in.
func TestOtherTokens(t *testing.T) {
	t.Parallel()
	g := newRegistry(t, "")
	mine := g.token(t, "hello", "repository:hello:pull,push")
	grant, err := provider.Issue(t.Context(), g.issuer, provider.Request{Project: "hello", Access: provider.Push, Caller: "alice"})
	require.NoError(t, err)
	parts := strings.Split(mine, ".")
	header := func(text string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(text)) + "." + parts[1] + "." + parts[2]
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	signed := func(algorithm jose.SignatureAlgorithm, key any, claims string) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, nil)
		require.NoError(t, err)
		object, err := signer.Sign([]byte(claims))
		require.NoError(t, err)
		text, err := object.CompactSerialize()
		require.NoError(t, err)
		return text
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	claims := string(payload)
	for name, authorization := range map[string][]string{
		"none":                  nil,
		"empty":                 {""},
		"no token":              {"Bearer"},
		"an empty token":        {"Bearer "},
		"a password":            {"Basic " + base64.StdEncoding.EncodeToString([]byte("rise:"+grant.Password.Reveal()))},
		"twice":                 {"Bearer " + mine, "Bearer " + mine},
		"a grant":               {"Bearer " + grant.Password.Reveal()},
		"no JWT":                {"Bearer rise-dev-token"},
		"no signature":          {"Bearer " + parts[0] + "." + parts[1] + "."},
		"another's signature":   {"Bearer " + parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86)},
		"alg none":              {"Bearer " + header(`{"alg":"none"}`)},
		"HS256":                 {"Bearer " + header(`{"alg":"HS256"}`)},
		"other claims":          {"Bearer " + parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(claims, "hello", "other", 1))) + "." + parts[2]},
		"another key":           {"Bearer " + signed(jose.ES256, ec, claims)},
		"another key's kind":    {"Bearer " + signed(jose.RS256, rsaKey, claims)},
		"a secret":              {"Bearer " + signed(jose.HS256, []byte("0123456789abcdef0123456789abcdef"), claims)},
		"another's server's":    {"Bearer " + newRegistry(t, "").token(t, "hello", "repository:hello:pull,push")},
		"with something behind": {"Bearer " + mine + " x"},
	} {
		for _, target := range []string{"/v2/", "/v2/hello/manifests/v1", "/v2/_catalog"} {
			got := g.do(t, http.MethodGet, service, target, authorization...)
			require.Equal(t, http.StatusUnauthorized, got.StatusCode, "%s %s", name, target)
			require.Contains(t, got.Header.Get("Www-Authenticate"), `Bearer realm="http://127.0.0.1:5001/token",service="127.0.0.1:5001"`)
		}
	}
	require.Equal(t, http.StatusOK, g.do(t, http.MethodGet, service, "/v2/", "bearer  "+mine).StatusCode)
}

// Where clients are sent, and their passwords.
func TestRealm(t *testing.T) {
	t.Parallel()
	g := newRegistry(t, "")
	own := "http://" + service + "/token"
	for host, want := range map[string]string{
		"127.0.0.1:5001":                  "http://127.0.0.1:5001/token",
		"127.9.9.9:80":                    "http://127.9.9.9:80/token",
		"[::1]:5001":                      "http://[::1]:5001/token",
		"localhost:5001":                  "http://localhost:5001/token",
		"LOCALHOST:5001":                  "http://LOCALHOST:5001/token",
		"registry.localhost:5001":         "http://registry.localhost:5001/token",
		"host.docker.internal:5001":       "http://host.docker.internal:5001/token",
		"host.containers.internal:7":      "http://host.containers.internal:7/token",
		"":                                own,
		"localhost":                       own,
		"127.0.0.1":                       own,
		"registry.example.com:5001":       own,
		"localhost.example.com:5001":      own,
		"notlocalhost:5001":               own,
		".localhost:5001":                 own,
		"10.0.0.1:5001":                   own,
		"0.0.0.0:5001":                    own,
		"[::1%25eth0]:5001":               own,
		"2130706433:5001":                 own,
		"127.0.0.1:":                      own,
		"127.0.0.1:5001,evil.example.com": own,
		"127.0.0.1:evil":                  own,
		"evil.example.com#.localhost:1":   own,
		"evil@x.localhost:1":              own,
		`x".localhost:1`:                  own,
		"host.docker.internal.evil.com:1": own,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v2/", nil)
		r.Host = host
		r.Header.Set("X-Forwarded-Host", "evil.example.com")
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("Forwarded", "host=evil.example.com;proto=https")
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		require.Equal(t, `Bearer realm="`+want+`",service="127.0.0.1:5001"`, w.Header().Get("Www-Authenticate"), host)
	}
	g = newRegistry(t, "https://registry.example.com/token")
	got := g.do(t, http.MethodGet, "localhost:5001", "/v2/")
	require.Equal(t, `Bearer realm="https://registry.example.com/token",service="127.0.0.1:5001"`, got.Header.Get("Www-Authenticate"))
	for _, path := range []string{"/token", "/auth/token"} {
		require.Equal(t, http.StatusUnauthorized, g.do(t, http.MethodGet, service, path).StatusCode)
	}
}
