package app_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/app"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// A service's token server takes the bearer tokens of its callers, and asks the service whether a credential is still good.
func TestTokenServerOfAService(t *testing.T) {
	t.Parallel()
	authority, err := tokenkeys.NewAuthority()
	require.NoError(t, err)
	key, certificate, err := authority.NewSigningKey(time.Hour)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "tls.key")
	require.NoError(t, os.WriteFile(file, slices.Concat(key, certificate), 0o600))

	authenticate := func(r *http.Request) (user, error) {
		if token, _ := endpoint.BearerToken(r); token.Reveal() == "token-of-hello" {
			return "hello", nil
		}
		return "", endpoint.ErrUnauthenticated
	}
	authorize := func(_ context.Context, u user, r provider.Request) error {
		if r.Project != string(u) {
			return provider.ErrNotFound
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	ended := make(chan int, 1)
	var log bytes.Buffer
	go func() {
		code := app.Server(newFactory(t, app.Builders()...), app.WithCallers(authenticate, authorize), app.WithLogins(authenticate, authorize),
			app.WithStillGood(func(context.Context, tokenissuer.Question) error { return provider.ErrNotFound }),
			app.WithContext(ctx), app.WithArgs(), app.WithOutput(w, &log), app.WithLoader(loader("server: {listen: '127.0.0.1:0'}\n"+
				"registry: {type: oci-token-issuer, registry_url: registry.example.com, signing_key_file: "+file+", signing_cert_file: "+file+"}\n")))
		_ = w.Close()
		ended <- code
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	go io.Copy(io.Discard, r) //nolint:errcheck // until the pipe closes
	credentials := strings.TrimSuffix(endpointURL.FindString(line), "NAME") + "hello"
	base, _, _ := strings.Cut(credentials, "/api/")
	ask := func(url string, prepare func(*http.Request)) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		prepare(request)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer response.Body.Close() //nolint:errcheck // read
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(body)
	}
	status, body := ask(credentials, func(r *http.Request) { r.Header.Set("Authorization", "Bearer token-of-hello") })
	require.Equal(t, http.StatusOK, status, body)
	_, grant, _ := strings.Cut(body, `"password":"`)
	grant, _, _ = strings.Cut(grant, `"`)
	for password, want := range map[string]int{"token-of-hello": http.StatusOK, grant: http.StatusUnauthorized, "guess": http.StatusUnauthorized} {
		status, body = ask(base+"/auth/token?scope=repository:hello:pull,push", func(r *http.Request) { r.SetBasicAuth("rise", password) })
		require.Equal(t, want, status, body)
	}
	cancel()
	require.Zero(t, <-ended)
	require.Contains(t, log.String(), "the grant is no longer good")
}
