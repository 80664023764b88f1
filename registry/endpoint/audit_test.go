package endpoint_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

var errFull = errors.New("no space left on device")

// No credential leaves without a record; refusals stay what they are.
func TestAuditFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err   error
		after string
	}{
		"an error":         {errFull, "5"},
		"one with a delay": {&provider.Error{Kind: provider.ErrUnavailable, RetryAfter: 90 * time.Second, Err: errFull}, "90"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var outcomes []endpoint.Outcome
			failing := tt.err
			s := &service{}
			url := s.serve(t, endpoint.WithAudit(func(_ context.Context, e endpoint.Event) error {
				outcomes = append(outcomes, e.Outcome)
				return failing
			}))
			r := get(t, http.MethodGet, url+"?project=hello", bearer)
			require.Equal(t, http.StatusServiceUnavailable, r.status)
			require.Equal(t, tt.after, r.header.Get("Retry-After"))
			require.Contains(t, r.body, `"code":"unavailable"`)
			require.NotContains(t, r.body, password)
			require.NotContains(t, r.body, "space", "causes are the operator's")
			require.Equal(t, http.StatusNotFound, get(t, http.MethodGet, url+"?project=other", bearer).status)
			require.Equal(t, http.StatusUnauthorized, get(t, http.MethodGet, url+"?project=hello", "Bearer guess").status)
			failing = nil
			r = get(t, http.MethodGet, url+"?project=hello", bearer)
			require.Equal(t, http.StatusOK, r.status)
			require.Contains(t, r.body, password)
			require.Equal(t, []endpoint.Outcome{endpoint.Issued, endpoint.Refused, endpoint.Refused, endpoint.Issued}, outcomes)
		})
	}
}

// A login is no more than the endpoint's answer would be: 503 where it can't be recorded.
func TestAuditFailsForLogins(t *testing.T) {
	t.Parallel()
	l := &logging{}
	login := endpoint.Logins(&l.service, l.authenticate, l.authorize, endpoint.WithAudit(func(context.Context, endpoint.Event) error { return errFull }))
	ask := func(password string, projects ...string) ([]provider.Request, error) {
		var asked []provider.Request
		for _, project := range projects {
			asked = append(asked, provider.Request{Project: project, Access: provider.Push})
		}
		_, granted, err := login(httptest.NewRequest(http.MethodGet, "/token", nil), provider.NewSecret(password), asked)
		return granted, err
	}
	granted, err := ask("alice's", "unknown", "hello")
	require.ErrorIs(t, err, provider.ErrUnavailable)
	require.ErrorIs(t, err, errFull)
	require.Empty(t, granted)
	granted, err = ask("alice's", "unknown")
	require.NoError(t, err, "nothing was granted")
	require.Empty(t, granted)
	_, err = ask("guess", "hello")
	require.ErrorIs(t, err, provider.ErrAccessDenied)
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }

// The log as an audit fails as its handler does, and a level that is left out isn't a failure.
func TestLogFails(t *testing.T) {
	t.Parallel()
	handler := func(w io.Writer, level slog.Level) *slog.Logger {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	}
	issued := endpoint.Event{Outcome: endpoint.Issued, Status: http.StatusOK}
	require.ErrorIs(t, endpoint.Log(handler(failingWriter{}, slog.LevelInfo))(t.Context(), issued), errFull)
	require.NoError(t, endpoint.Log(handler(failingWriter{}, slog.LevelWarn))(t.Context(), issued))
	require.NoError(t, endpoint.Log(handler(io.Discard, slog.LevelInfo))(t.Context(), issued))
}
