package oidc_test

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

// A file of keys counts as it is: a key that was withdrawn is none two seconds later, whoever asked last and when, and a new one is one.
func TestFileOfKeysIsReadAgain(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	config := s.config()
	both := keySet(jwk("ec", keys().ec.Public()), jwk("new", keys().ec2.Public()))
	config.CAFile, config.JWKSFile = "", fileOf(t, keySet(jwk("ec", keys().ec.Public())))
	a := newAuthenticator(t, clock, config)
	old, rotated := s.token(nil), signed(`{"alg":"ES256","kid":"new"}`, s.claims(nil), keys().ec2)
	answers := func(oldStatus, newStatus int) {
		t.Helper()
		for range 2 {
			_, err := authenticate(t.Context(), a, old)
			require.Equal(t, oldStatus, status(err), err)
			_, err = authenticate(t.Context(), a, rotated)
			require.Equal(t, newStatus, status(err), err)
		}
	}
	write := func(text string) {
		t.Helper()
		require.NoError(t, os.WriteFile(config.JWKSFile, []byte(text), 0o600))
		clock.advance(2 * time.Second)
	}
	answers(http.StatusOK, http.StatusUnauthorized)
	write(both)
	answers(http.StatusOK, http.StatusOK)
	require.Equal(t, 2, a.Remembered())
	write(both + "\n")
	answers(http.StatusOK, http.StatusOK)
	write(both[:len(both)/2]) // somebody is writing it
	answers(http.StatusOK, http.StatusOK)
	require.NoError(t, os.Remove(config.JWKSFile))
	clock.advance(2 * time.Second)
	answers(http.StatusOK, http.StatusOK)
	write(keySet(jwk("new", keys().ec2.Public())))
	answers(http.StatusUnauthorized, http.StatusOK)
	write(both)
	answers(http.StatusOK, http.StatusOK)
	clock.advance(3 * time.Minute)
	write(keySet(jwk("ec", keys().ec.Public()))) // and nobody asked for a long time
	answers(http.StatusOK, http.StatusUnauthorized)
}

// Other rules decide at once, and cost no look at the issuer, even if it can't be reached; another address of it does.
func TestWithOtherRules(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	a := newAuthenticator(t, clock, s.config())
	token := s.token(nil)
	before, err := authenticate(t.Context(), a, token)
	require.NoError(t, err)
	require.EqualValues(t, 1, s.looked.Load())
	s.on(&s.jwks, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })

	changed := s.config()
	changed.Rules = []oidc.Rule{{Claims: changed.Rules[0].Claims, Projects: []string{"other"}}}
	b, err := a.With([]oidc.Issuer{changed})
	require.NoError(t, err)
	after, err := authenticate(t.Context(), b, token)
	require.NoError(t, err)
	require.NotEqual(t, before.Projects(), after.Projects())
	require.Equal(t, []string{"other"}, after.Projects())
	again, err := authenticate(t.Context(), a, token)
	require.NoError(t, err)
	require.Equal(t, before.Projects(), again.Projects(), "the one before is what it was")

	changed.Audience = "https://other.example.com"
	b, err = a.With([]oidc.Issuer{changed})
	require.NoError(t, err)
	_, err = authenticate(t.Context(), b, token)
	require.Equal(t, http.StatusUnauthorized, status(err), "what the one before remembers is for another audience")
	require.EqualValues(t, 1, s.looked.Load())

	moved := s.config()
	moved.JWKSURL = s.URL + "/keys"
	b, err = a.With([]oidc.Issuer{moved})
	require.NoError(t, err)
	_, err = authenticate(t.Context(), b, token)
	require.Equal(t, http.StatusServiceUnavailable, status(err), "the keys of another address are asked for there")
	require.EqualValues(t, 2, s.looked.Load())

	b, err = a.With(nil)
	require.NoError(t, err)
	_, err = authenticate(t.Context(), b, token)
	require.Equal(t, http.StatusUnauthorized, status(err))

	changed.Audience = ""
	_, err = a.With([]oidc.Issuer{changed})
	require.ErrorContains(t, err, "oidc[0].audience")
}
