package oidc_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
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

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

// However many callers come with a key that isn't there, the issuer is asked once.
func TestUnknownKeysCostOneFetch(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	a := newAuthenticator(t, clock, s.config())
	_, err := authenticate(t.Context(), a, s.token(nil))
	require.NoError(t, err)
	require.EqualValues(t, 1, s.looked.Load())
	clock.advance(time.Minute)
	var callers sync.WaitGroup
	for n := range 5000 {
		callers.Go(func() {
			token := signed(fmt.Sprintf(`{"alg":"ES256","kid":"unknown-%d"}`, n), s.claims(nil), nil) + "AAAA"
			_, err := authenticate(t.Context(), a, token)
			if status(err) != http.StatusUnauthorized {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	require.EqualValues(t, 2, s.looked.Load())
	require.EqualValues(t, 2, s.discovered.Load())
}

// The first callers of an issuer wait for one fetch, too.
func TestFirstCallersShareAFetch(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	a := newAuthenticator(t, clock, s.config())
	require.Zero(t, s.discovered.Load(), "the service starts without its issuers")
	var callers sync.WaitGroup
	for n := range 100 {
		callers.Go(func() {
			_, err := authenticate(t.Context(), a, s.token(map[string]any{"jti": n}))
			if err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	require.EqualValues(t, 1, s.looked.Load())
}

// What a token says of itself is enough to refuse it without asking anybody.
func TestRefusedWithoutNetwork(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	a := newAuthenticator(t, clock, s.config())
	now := clock.now().Unix()
	for _, changes := range []map[string]any{
		{"iss": "https://evil.example.com"}, {"aud": "x"}, {"exp": now - 100}, {"iat": now + 100}, {"nbf": now + 100}, {"exp": nil}, {"iat": nil}, {"sub": nil}, {"exp": now + 90000},
	} {
		_, err := authenticate(t.Context(), a, s.token(changes))
		require.Equal(t, http.StatusUnauthorized, status(err))
	}
	require.Zero(t, s.discovered.Load()+s.looked.Load())
}

// A new key is found when its first token comes, unless the keys are less than a minute old.
func TestRotation(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	a := newAuthenticator(t, clock, s.config())
	old := s.token(nil)
	_, err := authenticate(t.Context(), a, old)
	require.NoError(t, err)

	s.publish(keySet(jwk("new", keys().ec2.Public()), jwk("ec", keys().ec.Public())))
	rotated := signed(`{"alg":"ES256","kid":"new"}`, s.claims(nil), keys().ec2)
	clock.advance(59 * time.Second)
	_, err = authenticate(t.Context(), a, rotated)
	require.Equal(t, http.StatusUnauthorized, status(err))
	require.EqualValues(t, 1, s.looked.Load())
	clock.advance(time.Second)
	_, err = authenticate(t.Context(), a, rotated)
	require.NoError(t, err)
	require.EqualValues(t, 2, s.looked.Load())
	_, err = authenticate(t.Context(), a, old)
	require.NoError(t, err)

	// Of two that fit, a token has to name one.
	_, err = authenticate(t.Context(), a, signed(`{"alg":"ES256"}`, s.claims(nil), keys().ec))
	require.ErrorContains(t, err, "isn't one of the issuer's")

	// The old one goes, and with it what was remembered of its tokens.
	s.publish(keySet(jwk("new", keys().ec2.Public())))
	clock.advance(time.Minute)
	_, err = authenticate(t.Context(), a, signed(`{"alg":"ES256","kid":"newer"}`, s.claims(nil), keys().ec2))
	require.Equal(t, http.StatusUnauthorized, status(err))
	_, err = authenticate(t.Context(), a, old)
	require.Equal(t, http.StatusUnauthorized, status(err))
	_, err = authenticate(t.Context(), a, rotated)
	require.NoError(t, err)
}

// Keys of one name are tried one after the other, but not many: a key set of 64 that are slow would cost a second a bad token.
func TestKeysOfOneName(t *testing.T) {
	t.Parallel()
	clock := newClock()
	for others, ok := range map[int]bool{0: true, 3: true, 4: false, 62: false} {
		s := newServer(t, clock)
		published := slices.Repeat([]jose.JSONWebKey{jwk("ec", keys().ec2.Public())}, others)
		s.publish(keySet(append(published, jwk("ec", keys().ec.Public()), jwk("rsa", keys().rsa.Public()))...))
		a := newAuthenticator(t, clock, s.config())
		_, err := authenticate(t.Context(), a, s.token(nil))
		if ok {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "isn't one of the issuer's")
		_, err = authenticate(t.Context(), a, signed(`{"alg":"RS256","kid":"rsa"}`, s.claims(nil), keys().rsa))
		require.NoError(t, err, "what has a name of its own is used")
	}
}

// Keys are kept while they can't be renewed, and old ones are renewed without anybody waiting.
func TestKeysAreKept(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	a := newAuthenticator(t, clock, s.config())
	_, err := authenticate(t.Context(), a, s.token(nil))
	require.NoError(t, err)
	asked := make(chan struct{}, 1)
	s.on(&s.jwks, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		asked <- struct{}{}
	})
	for range 3 {
		clock.advance(10 * time.Minute)
		_, err = authenticate(t.Context(), a, s.token(nil))
		require.NoError(t, err)
		<-asked
		// Who has a key that isn't there can't be told apart from who has a new one.
		_, err = authenticate(t.Context(), a, signed(`{"alg":"ES256","kid":"new"}`, s.claims(nil), keys().ec2))
		require.Equal(t, http.StatusServiceUnavailable, status(err))
		_, err = authenticate(t.Context(), a, s.token(map[string]any{"jti": "2"}))
		require.NoError(t, err)
	}
	clock.advance(10 * time.Minute)
	done := make(chan struct{})
	s.on(&s.jwks, func(w http.ResponseWriter, r *http.Request) {
		say(keySet(jwk("ec", keys().ec.Public())))(w, r)
		close(done)
	})
	token := s.token(nil)
	_, err = authenticate(t.Context(), a, token)
	require.NoError(t, err)
	<-done
}

// An issuer that says that it has no key left isn't believed in any longer.
func TestKeysAreWithdrawn(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	a := newAuthenticator(t, clock, s.config())
	token := s.token(nil)
	_, err := authenticate(t.Context(), a, token)
	require.NoError(t, err)
	s.publish(`{"keys":[]}`)
	clock.advance(time.Minute)
	_, err = authenticate(t.Context(), a, signed(`{"alg":"ES256","kid":"new"}`, s.claims(nil), keys().ec2))
	require.Equal(t, http.StatusServiceUnavailable, status(err))
	_, err = authenticate(t.Context(), a, token)
	require.Equal(t, http.StatusServiceUnavailable, status(err))
}

// What was verified isn't verified again before its end, and is forgotten then.
func TestRemembered(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	a := newAuthenticator(t, clock, s.config())
	_, err := authenticate(t.Context(), a, s.token(nil)) // fetches
	require.NoError(t, err)
	token := s.token(map[string]any{"jti": "1"})
	first, err := authenticate(t.Context(), a, token)
	require.NoError(t, err)
	again, err := authenticate(t.Context(), a, token)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, 2, a.Remembered())
	_, err = authenticate(t.Context(), a, token+"A")
	require.Equal(t, http.StatusUnauthorized, status(err))
	clock.advance(5*time.Minute + 30*time.Second) // within the leeway
	_, err = authenticate(t.Context(), a, token)
	require.NoError(t, err)
	clock.advance(31 * time.Second)
	_, err = authenticate(t.Context(), a, token)
	require.ErrorContains(t, err, "expired")
	require.Equal(t, 1, a.Remembered())
}

func TestRememberedIsBounded(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	a := newAuthenticator(t, clock, s.config())
	for n := range oidc.MaxRemembered + 50 {
		_, err := authenticate(t.Context(), a, s.token(map[string]any{"jti": n}))
		require.NoError(t, err)
	}
	require.Equal(t, oidc.MaxRemembered, a.Remembered())
}

// The bearer token goes to the issuer's own host and port and to jwks_url, and nowhere else.
func TestBearer(t *testing.T) {
	t.Parallel()
	clock := newClock()
	bearer := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(bearer, []byte("s3cret\n"), 0o600))
	for name, test := range map[string]struct {
		elsewhere, configured bool
		issuer, other         string
	}{
		"own":        {issuer: "Bearer s3cret"},
		"other port": {elsewhere: true, issuer: "Bearer s3cret"},
		"jwks_url":   {elsewhere: true, configured: true, other: "Bearer s3cret"},
	} {
		s, other := newServer(t, clock), newServer(t, clock)
		var mu sync.Mutex
		seen := map[*server][]string{}
		watched := func(one *server, body string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				seen[one] = append(seen[one], r.Header.Get("Authorization"))
				mu.Unlock()
				say(body)(w, r)
			}
		}
		at := s
		if test.elsewhere {
			at = other
		}
		s.on(&s.discovery, watched(s, text(map[string]any{"issuer": s.URL, "jwks_uri": at.URL + "/keys"})))
		at.on(&at.jwks, watched(at, keySet(jwk("ec", keys().ec.Public()))))
		config := s.config()
		config.BearerTokenFile = bearer
		config.CAFile = filepath.Join(t.TempDir(), "both.pem")
		var both []byte
		for _, file := range []string{s.ca, other.ca} {
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			both = append(both, b...)
		}
		require.NoError(t, os.WriteFile(config.CAFile, both, 0o600))
		if test.configured {
			config.JWKSURL = other.URL + "/keys"
		}
		a := newAuthenticator(t, clock, config)
		_, err := authenticate(t.Context(), a, s.token(nil))
		require.NoError(t, err, name)
		for _, got := range seen[s] {
			require.Equal(t, test.issuer, got, name)
		}
		for _, got := range seen[other] {
			require.Equal(t, test.other, got, name)
		}
		require.Equal(t, test.elsewhere, len(seen[other]) > 0, name)
	}
}

// What is wrong with a file is 503, until it is mended.
func TestFiles(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	for name, test := range map[string]struct {
		change     func(*oidc.Issuer)
		bad, good  string
		bare, none string
	}{
		"jwks_file":         {change: func(i *oidc.Issuer) { i.CAFile, i.JWKSFile = "", file }, bad: "hello", good: keySet(jwk("ec", keys().ec.Public())), bare: "isn't a key set", none: "jwks_file"},
		"ca_file":           {change: func(i *oidc.Issuer) { i.CAFile = file }, bad: "hello", good: read(t, s.ca), bare: "no certificate", none: "ca_file"},
		"another CA":        {change: func(i *oidc.Issuer) { i.CAFile = file }, bad: selfSigned(t), good: read(t, s.ca), bare: "certificate", none: "ca_file"},
		"bearer_token_file": {change: func(i *oidc.Issuer) { i.BearerTokenFile = file }, bad: "bad\x00bearer", good: "bearer", bare: "", none: "bearer_token_file"},
	} {
		require.NoError(t, os.RemoveAll(file))
		config := s.config()
		test.change(&config)
		a := newAuthenticator(t, clock, config)
		_, err := authenticate(t.Context(), a, s.token(nil))
		require.Equal(t, http.StatusServiceUnavailable, status(err), name)
		require.ErrorContains(t, err, test.none, name)
		require.NoError(t, os.WriteFile(file, []byte(test.bad), 0o600))
		clock.advance(5 * time.Second)
		_, err = authenticate(t.Context(), a, s.token(nil))
		require.Equal(t, http.StatusServiceUnavailable, status(err), name)
		require.ErrorContains(t, err, test.bare, name)
		require.NotContains(t, err.Error(), "bad\x00bearer")
		require.NoError(t, os.WriteFile(file, []byte(test.good), 0o600))
		clock.advance(5 * time.Second)
		_, err = authenticate(t.Context(), a, s.token(nil))
		require.NoError(t, err, name)
	}
	// Nobody vouches for the server.
	config := s.config()
	config.CAFile = ""
	_, err := authenticate(t.Context(), newAuthenticator(t, clock, config), s.token(nil))
	require.Equal(t, http.StatusServiceUnavailable, status(err))
	require.ErrorContains(t, err, "certificate")
	require.NotErrorIs(t, err, endpoint.ErrUnauthenticated)
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

// selfSigned is a certificate of nobody's.
func selfSigned(t *testing.T) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, keys().ec.Public(), keys().ec)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// Development has an issuer on loopback without TLS, whose keys may be there too, and nowhere else.
func TestPlainHTTPOnLoopback(t *testing.T) {
	t.Parallel()
	clock := newClock()
	mux := http.NewServeMux()
	plain := httptest.NewServer(mux)
	t.Cleanup(plain.Close)
	elsewhere := httptest.NewServer(say(keySet(jwk("ec", keys().ec.Public()))))
	t.Cleanup(elsewhere.Close)
	var named atomic.Value
	named.Store(plain.URL)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		say(text(map[string]any{"issuer": plain.URL, "jwks_uri": named.Load().(string) + "/keys"}))(w, r)
	})
	mux.HandleFunc("/keys", say(keySet(jwk("ec", keys().ec.Public()))))
	config := oidc.Issuer{Name: "dev", Issuer: plain.URL, Audience: audience, Rules: []oidc.Rule{{Claims: m{"owner": "acme"}, Projects: []string{"shop"}}}}
	token := signed(`{"alg":"ES256","kid":"ec"}`, text(claimsOf(clock, plain.URL, nil)), keys().ec)
	_, err := authenticate(t.Context(), newAuthenticator(t, clock, config), token)
	require.NoError(t, err)
	named.Store(elsewhere.URL)
	_, err = authenticate(t.Context(), newAuthenticator(t, clock, config), token)
	require.ErrorContains(t, err, "jwks_uri isn't https")
	config.JWKSURL = elsewhere.URL + "/keys" // what is configured may be anywhere on loopback
	_, err = authenticate(t.Context(), newAuthenticator(t, clock, config), token)
	require.NoError(t, err)
}
