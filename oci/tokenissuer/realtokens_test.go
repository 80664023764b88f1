package tokenissuer_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// What the registry itself takes for a token: the issuer's, and nothing that only looks like one, a grant least of all.
func TestRealRegistryRefuses(t *testing.T) {
	t.Parallel()
	realtest.Program(t, "docker-registry")
	s, other := newSigning(t), newSigning(t)
	address := realtest.FreeAddress(t)
	c := tokenissuer.Config{RegistryURL: address, TokenService: "our registry"}
	p := newProvider(t, c, s)
	h := p.Handler(allGood, nil, silent())
	realtest.TokenRegistry(t, address, "http://localhost:1/token", "our registry", "rise", s.authorityPEM)
	status := func(token string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/v2/hello/blobs/uploads/", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	tokenOf := func(h http.Handler, password, scope string) string {
		r := newRequest(password)
		r.URL.RawQuery = "scope=" + scope
		return send(t, h, r).body["token"].(string)
	}
	grant := grantFor(t, p, push("hello"))
	const scope = "repository:hello:pull,push"
	good := tokenOf(h, grant, scope)
	require.Equal(t, http.StatusAccepted, status(good))

	parts := strings.Split(good, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	block, _ := pem.Decode(s.key)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	certificate, _ := pem.Decode(s.certificatePEM)
	// signed is a token of changed claims, signed by key with that header.
	signed := func(key any, algorithm jose.SignatureAlgorithm, x5c []byte, change func(map[string]any)) string {
		claims := decode(t, payload)
		if change != nil {
			change(claims)
		}
		text, err := json.Marshal(claims)
		require.NoError(t, err)
		options := &jose.SignerOptions{}
		if x5c != nil {
			options = options.WithHeader("x5c", []string{base64.StdEncoding.EncodeToString(x5c)})
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
		require.NoError(t, err)
		object, err := signer.Sign(text)
		require.NoError(t, err)
		token, err := object.CompactSerialize()
		require.NoError(t, err)
		return token
	}
	ours := func(change func(map[string]any)) string {
		return signed(private, jose.ES256, certificate.Bytes, change)
	}
	require.Equal(t, http.StatusAccepted, status(ours(nil)), "the way that these are made works")
	mine, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rise token signing key"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	selfSigned, err := x509.CreateCertificate(rand.Reader, template, template, mine.Public(), mine)
	require.NoError(t, err)
	elsewhere := func(c tokenissuer.Config, s signing) string {
		another := newProvider(t, c, s)
		return tokenOf(another.Handler(allGood, nil, silent()), grantFor(t, another, push("hello")), scope)
	}
	set := func(claim string, value any) func(map[string]any) {
		return func(claims map[string]any) { claims[claim] = value }
	}
	now := time.Now().Unix()
	for name, token := range map[string]string{
		"a grant":                        grant,
		"a grant for all projects":       grantFor(t, p, provider.Request{AllProjects: true, Access: provider.Pull}),
		"a login":                        tokenOf(h, grant, ""),
		"a pull":                         tokenOf(h, grant, "repository:hello:pull"),
		"another project's":              tokenOf(h, grantFor(t, p, push("other")), "repository:other:pull,push"),
		"another key's":                  elsewhere(c, other),
		"another service's":              elsewhere(tokenissuer.Config{RegistryURL: address}, s),
		"another issuer's":               elsewhere(tokenissuer.Config{RegistryURL: address, TokenService: "our registry", TokenIssuer: "another"}, s),
		"expired":                        ours(set("exp", now-120)),
		"not yet":                        ours(set("nbf", now+120)),
		"no access":                      ours(set("access", nil)),
		"access of another":              ours(set("access", []any{map[string]any{"type": "repository", "name": "hello2", "actions": []string{"push"}}})),
		"no issuer":                      ours(set("iss", "")),
		"an audience too many":           ours(set("aud", []string{"another", "third"})),
		"a certificate of its own":       signed(mine, jose.ES256, selfSigned, nil),
		"our certificate, another key":   signed(mine, jose.ES256, certificate.Bytes, nil),
		"no certificate":                 signed(mine, jose.ES256, nil, nil),
		"our certificate as the secret":  signed(certificate.Bytes, jose.HS256, certificate.Bytes, nil),
		"alg none":                       b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		"no signature":                   parts[0] + "." + parts[1] + ".",
		"claims changed":                 parts[0] + "." + b64([]byte(strings.Replace(string(payload), `"rise"`, `"rise" `, 1))) + "." + parts[2],
		"the grant's claims, our header": parts[0] + "." + strings.Split(grant, ".")[1] + "." + parts[2],
		"nothing":                        "",
		"no token":                       "x.y.z",
	} {
		require.Equal(t, http.StatusUnauthorized, status(token), name)
	}
}
