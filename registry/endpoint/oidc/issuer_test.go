package oidc_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

const audience = "https://rise.example.com"

// keys are made once: RSA's take a while.
var keys = sync.OnceValue(func() (k struct {
	rsa, other *rsa.PrivateKey
	weak       *rsa.PrivateKey // 512 bits, which crypto/rsa refuses to make and to use
	ec, ec2    *ecdsa.PrivateKey
	p384       *ecdsa.PrivateKey
	ed         ed25519.PrivateKey
}) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var err error
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.other, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.ec2, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	_, k.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	for k.weak == nil {
		p, err := rand.Prime(rand.Reader, 256)
		must(err)
		q, err := rand.Prime(rand.Reader, 256)
		must(err)
		one, e := big.NewInt(1), big.NewInt(65537)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		if d := new(big.Int).ModInverse(e, phi); d != nil {
			k.weak = &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537}, D: d}
		}
	}
	return k
})

// jwk is a public key as issuers publish it.
func jwk(kid string, public any, more ...func(*jose.JSONWebKey)) jose.JSONWebKey {
	key := jose.JSONWebKey{Key: public, KeyID: kid, Use: "sig"}
	for _, change := range more {
		change(&key)
	}
	return key
}

func keySet(k ...jose.JSONWebKey) string {
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: k})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func segment(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// signed is a token of a header and claims as they stand.
func signed(header, payload string, key any) string {
	input := segment([]byte(header)) + "." + segment([]byte(payload))
	hash := sha256.Sum256([]byte(input))
	var signature []byte
	var err error
	switch key := key.(type) {
	case nil:
	case []byte:
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		signature = mac.Sum(nil)
	case *rsa.PrivateKey:
		if key == keys().weak {
			info := append([]byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}, hash[:]...)
			padded := make([]byte, 64-len(info))
			for i := range padded {
				padded[i] = 0xff
			}
			padded[0], padded[1], padded[len(padded)-1] = 0, 1, 0
			signature = new(big.Int).Exp(new(big.Int).SetBytes(slices.Concat(padded, info)), key.D, key.N).FillBytes(make([]byte, 64))
			break
		}
		signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, hash[:])
	case *ecdsa.PrivateKey:
		var r, s *big.Int
		r, s, err = ecdsa.Sign(rand.Reader, key, hash[:])
		size := (key.Params().BitSize + 7) / 8
		signature = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, []byte(input))
	}
	if err != nil {
		panic(err)
	}
	return input + "." + segment(signature)
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// clock is a time that tests move.
type clock struct{ nanoseconds atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanoseconds.Store(time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanoseconds.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }

// server is an issuer of our own. What it answers can be changed while it runs.
type server struct {
	*httptest.Server
	clock              *clock
	ca                 string
	discovery, jwks    atomic.Pointer[http.HandlerFunc]
	discovered, looked atomic.Int32 // how often each was asked for
	dir                string
}

func newServer(t *testing.T, clock *clock) *server {
	t.Helper()
	s := &server{clock: clock, dir: t.TempDir()}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		s.discovered.Add(1)
		(*s.discovery.Load())(w, r)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		s.looked.Add(1)
		(*s.jwks.Load())(w, r)
	})
	s.Server = httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	s.ca = filepath.Join(s.dir, "ca.pem")
	require.NoError(t, os.WriteFile(s.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	s.good()
	return s
}

// good makes it a sane issuer with one RSA and one EC key.
func (s *server) good() {
	s.discover(text(map[string]any{"issuer": s.URL, "jwks_uri": s.URL + "/keys", "response_types_supported": []string{"id_token"}}))
	s.publish(keySet(jwk("rsa", keys().rsa.Public()), jwk("ec", keys().ec.Public())))
}

func (s *server) discover(body string) { s.on(&s.discovery, say(body)) }
func (s *server) publish(body string)  { s.on(&s.jwks, say(body)) }

func (*server) on(at *atomic.Pointer[http.HandlerFunc], h http.HandlerFunc) { at.Store(&h) }

func say(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

func (s *server) config(rules ...oidc.Rule) oidc.Issuer {
	if rules == nil {
		rules = []oidc.Rule{{Claims: map[string]string{"owner": "acme"}, Projects: []string{"shop"}, Access: provider.Push}}
	}
	return oidc.Issuer{Name: "ci", Issuer: s.URL, Audience: audience, CAFile: s.ca, Rules: rules}
}

// claims are those of a good token, but for changes; nil removes one.
func (s *server) claims(changes map[string]any) string {
	return text(claimsOf(s.clock, s.URL, changes))
}

func claimsOf(clock *clock, issuer string, changes map[string]any) map[string]any {
	now := clock.now().Unix()
	all := map[string]any{"iss": issuer, "aud": audience, "sub": "job-1", "iat": now, "nbf": now, "exp": now + 300, "owner": "acme"}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// token is one with changed claims, by its EC key.
func (s *server) token(changes map[string]any) string {
	return signed(`{"alg":"ES256","kid":"ec","typ":"JWT"}`, s.claims(changes), keys().ec)
}

// othersSay is what go-oidc makes of a token by itself, with the leeway that is ours.
func othersSay(clock *clock, issuer, token string, key crypto.PublicKey) error {
	verifier := gooidc.NewVerifier(issuer, &gooidc.StaticKeySet{PublicKeys: []crypto.PublicKey{key}}, &gooidc.Config{
		ClientID: audience, Now: func() time.Time { return clock.now().Add(-time.Minute) },
		SupportedSigningAlgs: []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"},
	})
	_, err := verifier.Verify(context.Background(), token)
	return err
}

func newAuthenticator(t *testing.T, clock *clock, issuers ...oidc.Issuer) *oidc.Authenticator {
	t.Helper()
	a, err := oidc.New(issuers, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	a.SetClock(clock.now)
	return a
}

func authenticate(ctx context.Context, a *oidc.Authenticator, token string) (oidc.Caller, error) {
	r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
	r.Header.Set("Authorization", "Bearer "+token)
	return a.Authenticate(r)
}

// status is what the endpoint answers, were all else fine.
func status(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, endpoint.ErrUnauthenticated):
		return http.StatusUnauthorized
	default:
		return http.StatusServiceUnavailable
	}
}
