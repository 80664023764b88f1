package provider_test

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// patient is a provider with a diagnosis.
type patient struct {
	*fake
	asked []provider.DiagnoseOptions
}

func (p *patient) Diagnose(_ context.Context, o provider.DiagnoseOptions) iter.Seq[provider.Finding] {
	p.asked = append(p.asked, o)
	return func(yield func(provider.Finding) bool) {
		_ = yield(provider.Finding{Check: "a", Status: provider.Passed}) && yield(provider.Finding{Check: "b", Status: provider.Failed})
	}
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	p := &patient{fake: &fake{}}
	o := provider.DiagnoseOptions{Project: "hello", ProjectID: "p-1", WriteProbe: true}
	findings, err := provider.Diagnose(t.Context(), &wrapper{Provider: p}, o)
	require.NoError(t, err)
	var checks []string
	for f := range findings {
		checks = append(checks, f.Check)
	}
	require.Equal(t, []string{"a", "b"}, checks)
	require.Equal(t, []provider.DiagnoseOptions{o}, p.asked)

	_, err = provider.Diagnose(t.Context(), &wrapper{Provider: &fake{}}, provider.DiagnoseOptions{})
	require.ErrorIs(t, err, provider.ErrUnsupported)
	for _, o := range []provider.DiagnoseOptions{{Project: "../x"}, {WriteProbe: true}, {ProjectID: "p-1"}, {Project: "hello", ProjectID: "*"}} {
		_, err = provider.Diagnose(t.Context(), p, o)
		require.ErrorIs(t, err, provider.ErrInvalidRequest)
	}
	require.Len(t, p.asked, 1)
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for status, text := range map[provider.Status]string{
		provider.Passed: "passed", provider.Failed: "failed", provider.Warned: "warned", provider.Skipped: "skipped",
	} {
		require.Equal(t, text, status.String())
		marshaled, err := status.MarshalText()
		require.NoError(t, err)
		require.Equal(t, text, string(marshaled))
		var again provider.Status
		require.NoError(t, again.UnmarshalText(marshaled))
		require.Equal(t, status, again)
	}
	for _, status := range []provider.Status{0, 5, 255} {
		require.Contains(t, status.String(), "Status(")
		_, err := status.MarshalText()
		require.Error(t, err)
	}
	var s provider.Status
	require.Error(t, s.UnmarshalText([]byte("Status(0)")))
	require.Error(t, s.UnmarshalText([]byte("ok")))
}

func TestFindingJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(provider.Finding{
		Check: "push_role", Status: provider.Failed, Summary: "AWS refuses", Remedy: "line 1\nline 2",
		Evidence: []slog.Attr{
			slog.String("host", "example.com"), slog.Int("http_status", 403), slog.Duration("clock_offset", time.Minute),
			slog.Any("password", provider.NewSecret("hunter2")), slog.Group("tls", slog.Bool("ok", true)),
		},
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"check":"push_role","status":"failed","summary":"AWS refuses","remedy":"line 1\nline 2","evidence":`+
		`{"host":"example.com","http_status":403,"clock_offset":"1m0s","password":"[redacted]","tls":{"ok":true}}}`, string(text))

	text, err = json.Marshal(provider.Finding{Check: "token", Status: provider.Skipped, Summary: "no session", Because: "push_role"})
	require.NoError(t, err)
	require.JSONEq(t, `{"check":"token","status":"skipped","summary":"no session","because":"push_role"}`, string(text))

	_, err = json.Marshal(provider.Finding{})
	require.Error(t, err, "a finding without a status")
}
