package credentialhelper_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What must never be printed but as the answer's secret.
const (
	token    = "the-token-that-nobody-may-see"
	password = "the-password-that-nobody-may-see"
)

// answer is the endpoint's, as it documents it.
type answer map[string]any

func credential(repository string) answer {
	return answer{
		"registry_url": repository, "username": "AWS", "password": password, "auth_method": "login_credentials",
		"expires_in": 3600, "expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	}
}

func (a answer) with(key string, value any) answer {
	a[key] = value
	return a
}

func (a answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+token {
		problem(http.StatusUnauthorized, "unauthenticated", "A valid bearer token is required.").ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"credentials": a, "repository": r.URL.Query().Get("project")})
}

// problem is a refusal of the endpoint's.
func problem(status int, code, sentence string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "{\"error\":%q,\"code\":%q}\n", sentence, code)
	}
}

// asked is a service and the environment that asks it for hello on registry.example.com.
func asked(t *testing.T, h http.Handler) (env []string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return environment(s.URL)
}

func environment(url string) []string {
	return []string{"RISE_URL=" + url, "RISE_REGISTRY=registry.example.com", "RISE_PROJECT=hello", "RISE_TOKEN=" + token}
}

// nobody fails the test that asks.
func nobody(t *testing.T) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("somebody asked for %s", r.URL) })
}

func requireNoSecret(t *testing.T, o outcome) {
	t.Helper()
	for _, secret := range []string{token, password} {
		require.NotContains(t, o.out, secret)
		require.NotContains(t, o.stderr, secret)
	}
}
