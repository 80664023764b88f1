package tokenissuer_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
)

// BenchmarkExchange compares an exchange with the least that it could be: one HMAC that is checked, and one signature by go-jose.
func BenchmarkExchange(b *testing.B) {
	a, err := tokenkeys.NewAuthority()
	require.NoError(b, err)
	key, certificate, err := a.NewSigningKey(24 * time.Hour)
	require.NoError(b, err)
	p, err := tokenissuer.New(config(), tokenissuer.WithKeys(key, certificate), quiet())
	require.NoError(b, err)
	c, err := p.Credentials(b.Context(), push("hello"))
	require.NoError(b, err)
	block, _ := pem.Decode(key)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(b, err)
	signing, _ := pem.Decode(certificate)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("x5c", []string{base64.StdEncoding.EncodeToString(signing.Bytes)}))
	require.NoError(b, err)
	floor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		mac := hmac.New(sha256.New, []byte("a key of thirty-two bytes at all"))
		mac.Write([]byte(password))
		if hmac.Equal(mac.Sum(nil), nil) {
			return
		}
		claims, err := json.Marshal(map[string]any{"iss": "rise", "aud": host, "exp": time.Now().Unix(), "access": []any{map[string]any{"type": "repository", "name": "rise-apps/hello", "actions": []string{"pull", "push"}}}})
		if err != nil {
			return
		}
		signed, err := signer.Sign(claims)
		if err != nil {
			return
		}
		token, err := signed.CompactSerialize()
		if err != nil {
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"token": token})
	})
	for _, one := range []struct {
		name    string
		handler http.Handler
	}{{"floor", floor}, {"exchange", p.Handler(allGood, nil, silent())}} {
		b.Run(one.name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest(http.MethodGet, "/token?service="+host+"&scope=repository:rise-apps/hello:pull,push", nil)
			r.SetBasicAuth("rise", c.Password.Reveal())
			for b.Loop() {
				w := httptest.NewRecorder()
				one.handler.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Body.String())
				}
			}
		})
	}
}
