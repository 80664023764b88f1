package tokenissuer_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

var errFull = errors.New("no space left on device")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }

// No token leaves without a record of its exchange; refusals stay what they are.
func TestAuditFails(t *testing.T) {
	t.Parallel()
	p := newProvider(t, config(), newSigning(t))
	grant := grantFor(t, p, push("hello"))
	for name, tt := range map[string]struct {
		hook  func(context.Context, tokenissuer.Exchange) error
		after string
	}{
		"an error": {func(context.Context, tokenissuer.Exchange) error { return errFull }, "5"},
		"one with a delay": {func(context.Context, tokenissuer.Exchange) error {
			return &provider.Error{Kind: provider.ErrUnavailable, RetryAfter: 90 * time.Second, Err: errFull}
		}, "90"},
		"the log": {tokenissuer.Log(slog.New(slog.NewTextHandler(failingWriter{}, nil))), "5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := p.Handler(allGood, nil, tokenissuer.WithAudit(tt.hook))
			r := exchange(t, h, grant, "repository:rise-apps/hello:pull,push")
			require.Equal(t, http.StatusServiceUnavailable, r.status)
			require.Equal(t, tt.after, r.header.Get("Retry-After"))
			require.Equal(t, "UNAVAILABLE", r.code)
			require.NotContains(t, r.body, "token")
			require.Equal(t, http.StatusForbidden, exchange(t, h, grant, "repository:rise-apps/other:pull").status)
			require.Equal(t, http.StatusUnauthorized, exchange(t, h, "guess").status)
		})
	}
	quiet := p.Handler(allGood, nil, tokenissuer.WithAudit(tokenissuer.Log(slog.New(slog.NewTextHandler(failingWriter{}, &slog.HandlerOptions{Level: slog.LevelError})))))
	require.Equal(t, http.StatusOK, exchange(t, quiet, grant).status, "a level that is left out isn't a failure")
}
