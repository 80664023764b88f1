package client_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// Whatever an endpoint answers: either it is what was asked for, or an error that tells nothing of it.
func FuzzAnswer(f *testing.F) {
	good := `{"credentials":{"registry_url":"registry.example.com/rise/hello","username":"AWS","password":"` + password +
		`","expires_in":3600,"expires_at":"2999-01-01T00:00:00Z","auth_method":"login_credentials"},"repository":"hello"}`
	f.Add(200, good, "60")
	f.Add(200, strings.Replace(good, `"login_credentials"`, `"registry_token"`, 1), "")
	f.Add(200, strings.Replace(good, `:5`, `:5000`, 1), "")
	f.Add(200, strings.Replace(good, "registry.example.com/rise/", "[::1]:5000/", 1), "")
	f.Add(404, `{"error":"no","code":"not_found"}`, "Sat, 28 Nov 2026 08:00:00 GMT")
	f.Add(302, `<html>`, "-1")
	f.Fuzz(func(t *testing.T, status int, body, header string) {
		answer := func(*http.Request) *http.Response {
			return reply(status, body, "Retry-After", header, "Date", header, "Location", header, "Content-Type", header)
		}
		c, err := client.New(base, client.Fixed(provider.NewSecret(token)), client.WithPatience(time.Millisecond),
			client.WithHTTPClient(&http.Client{Transport: &line{answer: func(_ int, r *http.Request) (*http.Response, error) { return answer(r), nil }}}))
		require.NoError(t, err)
		got, err := c.Credentials(t.Context(), "hello", provider.Push)
		if err != nil {
			e := failure(t, err, provider.KindOf(err))
			require.NotEmpty(t, e.Kind)
			require.Zero(t, got)
			require.Less(t, len(err.Error()), 1500)
			require.Equal(t, strings.ToValidUTF8(err.Error(), ""), err.Error())
			require.False(t, strings.ContainsAny(err.Error(), "\r\n\x1b"))
			return
		}
		require.Equal(t, 200, status)
		require.NoError(t, got.Check(provider.Request{Project: "hello", Access: provider.Push}, time.Now()))
		require.Contains(t, body, got.Target.RegistryStr())
		require.NotContains(t, got.Target.String(), "//")
	})
}
