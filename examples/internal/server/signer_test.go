package server_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// signer signs tokens as an issuer does.
type signer struct {
	url string
	key jose.JSONWebKey
}

// newSigner has a key of its own.
func newSigner(t *testing.T, url string, algorithm jose.SignatureAlgorithm) signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch algorithm {
	case jose.RS256:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.ES384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		require.Fail(t, "no keys", "for %s", algorithm)
	}
	require.NoError(t, err)
	return signer{url, jose.JSONWebKey{Key: key, KeyID: "k", Algorithm: string(algorithm), Use: "sig"}}
}

// keySet is what the issuer publishes.
func (s signer) keySet(t *testing.T) []byte {
	t.Helper()
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{s.key.Public()}})
	require.NoError(t, err)
	return set
}

// sign returns a token with these claims, and no others.
func (s signer) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	with, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(s.key.Algorithm), Key: s.key}, (&jose.SignerOptions{}).WithType("JWT"))
	require.NoError(t, err)
	signed, err := with.Sign(payload)
	require.NoError(t, err)
	token, err := signed.CompactSerialize()
	require.NoError(t, err)
	return token
}

// tlsServer serves until the test ends, and returns its address and its authority's certificate, in PEM.
func tlsServer(t *testing.T, handle http.HandlerFunc) (url string, ca []byte) {
	t.Helper()
	s := httptest.NewUnstartedServer(handle)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}
