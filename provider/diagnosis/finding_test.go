package diagnosis_test

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	for status, text := range map[diagnosis.Status]string{
		diagnosis.Passed: "passed", diagnosis.Failed: "failed", diagnosis.Warned: "warned", diagnosis.Skipped: "skipped",
	} {
		require.Equal(t, text, status.String())
		marshaled, err := status.MarshalText()
		require.NoError(t, err)
		require.Equal(t, text, string(marshaled))
		var again diagnosis.Status
		require.NoError(t, again.UnmarshalText(marshaled))
		require.Equal(t, status, again)
	}
	for _, status := range []diagnosis.Status{0, 5, 255} {
		require.Contains(t, status.String(), "Status(")
		_, err := status.MarshalText()
		require.Error(t, err)
	}
	var s diagnosis.Status
	require.Error(t, s.UnmarshalText([]byte("Status(0)")))
	require.Error(t, s.UnmarshalText([]byte("ok")))
}

func TestFindingJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(diagnosis.Finding{
		Check: "push_role", Status: diagnosis.Failed, Summary: "AWS refuses", Remedy: "line 1\nline 2",
		Evidence: []slog.Attr{
			slog.String("host", "example.com"), slog.Int("http_status", 403), slog.Duration("clock_offset", time.Minute),
			slog.Any("password", provider.NewSecret("hunter2")), slog.Group("tls", slog.Bool("ok", true)),
		},
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"check":"push_role","status":"failed","summary":"AWS refuses","remedy":"line 1\nline 2","evidence":`+
		`{"host":"example.com","http_status":403,"clock_offset":"1m0s","password":"[redacted]","tls":{"ok":true}}}`, string(text))

	text, err = json.Marshal(diagnosis.Finding{Check: "token", Status: diagnosis.Skipped, Summary: "no session", Because: "push_role"})
	require.NoError(t, err)
	require.JSONEq(t, `{"check":"token","status":"skipped","summary":"no session","because":"push_role"}`, string(text))

	_, err = json.Marshal(diagnosis.Finding{})
	require.Error(t, err, "a finding without a status")
}
