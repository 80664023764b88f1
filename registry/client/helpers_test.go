package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

const (
	token    = "caller-token-4711-Zm9v"
	password = "registry-password-0815-YmFy"
	base     = "https://deploy.example.com"
)

// wire is an endpoint without a network, so that time can be the test's.
type wire func(n int, r *http.Request) (*http.Response, error)

// line is a wire with its counter, as an http.RoundTripper.
type line struct {
	answer wire
	mu     sync.Mutex
	asked  []*http.Request
	at     []time.Time
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.asked, l.at = append(l.asked, r), append(l.at, time.Now())
	n := len(l.asked)
	l.mu.Unlock()
	return l.answer(n, r)
}

func (l *line) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.asked)
}

// forgetful is a wire that remembers nothing.
type forgetful func(*http.Request) (*http.Response, error)

func (f forgetful) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func dial(t *testing.T, answer wire, opts ...client.Option) (*client.Client, *line) {
	t.Helper()
	l := &line{answer: answer}
	opts = append([]client.Option{client.WithHTTPClient(&http.Client{Transport: l})}, opts...)
	c, err := client.New(base, client.Fixed(provider.NewSecret(token)), opts...)
	require.NoError(t, err)
	return c, l
}

func reply(status int, body string, headers ...string) *http.Response {
	r := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// credential is an answer of 200 for what was asked, with changes to its "credentials"; nil removes.
func credential(t testing.TB, r *http.Request, changes map[string]any) *http.Response {
	t.Helper()
	project := r.URL.Query().Get("project")
	inner := map[string]any{
		"registry_url": "registry.example.com/rise/" + project, "username": "AWS", "password": password,
		"expires_in": 3600, "expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339), "auth_method": "login_credentials",
	}
	for key, value := range changes {
		if value == nil {
			delete(inner, key)
			continue
		}
		inner[key] = value
	}
	body, err := json.Marshal(map[string]any{"credentials": inner, "repository": project})
	require.NoError(t, err)
	return reply(http.StatusOK, string(body), "Content-Type", "application/json")
}

// failed checks an error's promises: it is a *provider.Error of the kind, and tells no secret.
func failed(t *testing.T, err error, kind provider.Kind) {
	t.Helper()
	_ = failure(t, err, kind)
}

// failure is failed, and the error.
func failure(t *testing.T, err error, kind provider.Kind) *provider.Error {
	t.Helper()
	require.Error(t, err)
	require.ErrorIs(t, err, kind)
	var e *provider.Error
	require.True(t, errors.As(err, &e))
	require.NotEmpty(t, e.Op)
	logged := e.LogValue().String()
	for _, secret := range []string{token, password, token[:12], password[:20], strings.ToUpper(token)} {
		require.NotContains(t, err.Error(), secret)
		require.NotContains(t, logged, secret)
	}
	return e
}

func get(t *testing.T, c *client.Client) (provider.Credentials, error) {
	t.Helper()
	return c.Credentials(t.Context(), "hello", provider.Push)
}

// within is a context with this time.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
