package clustertest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// endpoint is a service's, which makes passwords that say what they are: project, number, and until when.
type endpoint struct {
	*httptest.Server
	life  atomic.Int64 // of what it hands out, in milliseconds
	asked atomic.Int64
	down  atomic.Bool

	mu    sync.Mutex
	token string
	per   map[string]func(w http.ResponseWriter) bool // by project; true: it answered
}

func startEndpoint(t *testing.T, token string, life time.Duration) *endpoint {
	t.Helper()
	e := &endpoint{token: token, per: map[string]func(http.ResponseWriter) bool{}}
	e.life.Store(life.Milliseconds())
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) accept(token string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.token = token
}

func (e *endpoint) on(project string, do func(http.ResponseWriter) bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.per[project] = do
}

func refuse(w http.ResponseWriter, status int, code string) bool {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"error":"a sentence","code":%q}`, code)
	return true
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	token, q := e.token, r.URL.Query()
	project := q.Get("project")
	special := e.per[project]
	e.mu.Unlock()
	switch {
	case e.down.Load():
		refuse(w, http.StatusServiceUnavailable, "unavailable")
		return
	case r.Header.Get("Authorization") != "Bearer "+token:
		refuse(w, http.StatusUnauthorized, "unauthenticated")
		return
	case q.Get("access") != "pull" || q.Get("consumer") != "cluster":
		refuse(w, http.StatusBadRequest, "invalid_request")
		return
	}
	n := e.asked.Add(1)
	if special != nil && special(w) {
		return
	}
	life := time.Duration(e.life.Load()) * time.Millisecond
	expires := time.Now().Add(life)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"credentials": map[string]any{
			"registry_url": "registry.example.com/rise/" + project, "username": "cluster", "password": fmt.Sprintf("password.%s.%d.%d", project, n, expires.UnixMilli()),
			"expires_in": int(life / time.Second), "expires_at": expires.UTC().Format(time.RFC3339), "auth_method": "login_credentials",
		},
		"repository": project,
	})
}

// credential is what a password says of itself.
type credential struct {
	text    string
	project string
	number  int
	expires time.Time
}

// readCredential reads a secret's content; ok is false if it isn't the endpoint's.
func readCredential(content []byte) (c credential, ok bool) {
	var config struct {
		Auths map[string]struct{ Password string }
	}
	if json.Unmarshal(content, &config) != nil {
		return c, false
	}
	parts := strings.Split(config.Auths["registry.example.com"].Password, ".")
	if len(parts) != 4 || parts[0] != "password" {
		return c, false
	}
	number, _ := strconv.Atoi(parts[2])
	ms, err := strconv.ParseInt(parts[3], 10, 64)
	return credential{strings.Join(parts, "."), parts[1], number, time.UnixMilli(ms)}, err == nil
}
