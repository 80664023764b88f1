package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// badTokens are what no token is, with what is said of it.
var badTokens = map[string]string{
	"":                                   "empty",
	" \n":                                "empty",
	"two words":                          "inside",
	"line\nother":                        "inside",
	"line\r\nX-Injected: 1":              "inside",
	"tok\x00en":                          "inside",
	"tökèn":                              "inside",
	`"quoted-4711-Zm9v"`:                 "quotes",
	"$RISE_TOKEN":                        "name of a variable",
	"[redacted]":                         "placeholder",
	strings.Repeat("x", 8001):            "longer than",
	"\ufefftoken-4711":                   "byte order mark",
	`{"WebIdentityToken": "token-4711"}`: "inside",
}

// Whatever the source, what can't be a token isn't sent, nor shown.
func TestBadTokens(t *testing.T) {
	for text, says := range badTokens {
		path := filepath.Join(t.TempDir(), "token")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		t.Setenv("CLIENT_TEST_TOKEN", strings.ReplaceAll(text, "\x00", "\x01"))
		sources := map[string]client.TokenSource{
			"file":   client.File(path),
			"env":    client.Env("CLIENT_TEST_TOKEN"),
			"gitlab": client.GitLab("CLIENT_TEST_TOKEN"),
		}
		if trimmed := strings.TrimSpace(text); trimmed == text {
			sources["fixed"] = client.Fixed(provider.NewSecret(text))
		}
		for name, source := range sources {
			l := &line{answer: func(_ int, r *http.Request) (*http.Response, error) { return credential(t, r, nil), nil }}
			c, err := client.New(base, source, client.WithHTTPClient(&http.Client{Transport: l}))
			require.NoError(t, err)
			_, err = get(t, c)
			failed(t, err, provider.ErrMisconfigured)
			require.ErrorContains(t, err, says, name)
			require.Zero(t, l.count())
			if len(text) > 3 {
				require.NotContains(t, err.Error(), strings.Trim(text, `"$[]`))
			}
		}
	}
}

// A file is read again each time, and its last line's end is no part of the token.
func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	source := client.File(path)
	_, err := source.Token(t.Context())
	failed(t, err, provider.ErrMisconfigured)
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, want := range []string{"one", "two"} {
		require.NoError(t, os.WriteFile(path, []byte(want+"\n"), 0o600))
		got, err := source.Token(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, got.Reveal())
	}
	_, err = client.File(t.TempDir()).Token(t.Context())
	failed(t, err, provider.ErrMisconfigured)
	if fifo := filepath.Join(t.TempDir(), "fifo"); exec.CommandContext(t.Context(), "mkfifo", fifo).Run() == nil {
		_, err = client.File(fifo).Token(t.Context()) // which would block
		failed(t, err, provider.ErrMisconfigured)
	}
}

func TestVariables(t *testing.T) {
	t.Setenv("CLIENT_TEST_TOKEN", " "+token+"\n")
	for _, source := range []client.TokenSource{client.Env("CLIENT_TEST_TOKEN"), client.GitLab("CLIENT_TEST_TOKEN")} {
		got, err := source.Token(t.Context())
		require.NoError(t, err)
		require.Equal(t, token, got.Reveal())
	}
	_, err := client.GitLab("CLIENT_TEST_NONE").Token(t.Context())
	failed(t, err, provider.ErrMisconfigured)
	require.ErrorContains(t, err, "id_tokens: {CLIENT_TEST_NONE: {aud:")
	_, err = client.Env("CLIENT_TEST_NONE").Token(t.Context())
	failed(t, err, provider.ErrMisconfigured)
}

// Errors of others' sources get a kind, and keep their own.
func TestOthersSources(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		kind provider.Kind
	}{
		{fmt.Errorf("a vault is sealed"), provider.ErrMisconfigured},
		{context.DeadlineExceeded, provider.ErrTimeout},
		{&provider.Error{Kind: provider.ErrConflict, Op: "ask vault"}, provider.ErrConflict},
	} {
		c, err := client.New(base, client.TokenFunc(func(context.Context) (provider.Secret, error) { return provider.Secret{}, tt.err }))
		require.NoError(t, err)
		_, err = get(t, c)
		failed(t, err, tt.kind)
		require.ErrorIs(t, err, tt.err)
	}
}

func TestGitHubActions(t *testing.T) {
	const value = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvIn0.c2lnbmF0dXJl"
	var status int
	var body, after string
	var asked []*http.Request
	github := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r)
		if status != 0 && (len(asked) == 1 || after == "") {
			w.Header().Set("Retry-After", after)
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(status)
		}
		_, _ = fmt.Fprint(w, body)
	}))
	defer github.Close()
	set := func(s int, b, a string) { status, body, after, asked = s, b, a, nil }
	source := client.GitHubActions("deploy.example.com & more")

	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", github.URL+"/token?api-version=2.0")
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token)
	set(0, `{"count":1,"value":"`+value+`"}`, "")
	got, err := source.Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, value, got.Reveal())
	require.Equal(t, "api-version=2.0&audience=deploy.example.com+%26+more", asked[0].URL.RawQuery)
	require.Equal(t, "Bearer "+token, asked[0].Header.Get("Authorization"))

	set(http.StatusServiceUnavailable, `{"value":"`+value+`"}`, "0")
	got, err = source.Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, value, got.Reveal())
	require.Len(t, asked, 2)

	for _, tt := range []struct {
		status int
		body   string
		kind   provider.Kind
	}{
		{0, `<html>`, provider.ErrBadResponse},
		{0, `{"value":"` + token + ` x"}`, provider.ErrMisconfigured},
		{0, `{"value":17}`, provider.ErrBadResponse},
		{0, `{"value":"` + strings.Repeat("x", 300<<10) + `"}`, provider.ErrBadResponse},
		{http.StatusUnauthorized, token, provider.ErrAccessDenied},
		{http.StatusForbidden, token, provider.ErrAccessDenied},
		{http.StatusInternalServerError, token, provider.ErrUnavailable},
		{http.StatusFound, token, provider.ErrUnavailable},
	} {
		set(tt.status, tt.body, "")
		_, err = source.Token(t.Context())
		failed(t, err, tt.kind)
		require.Len(t, asked, 1, tt.status)
	}

	_, err = client.GitHubActions("").Token(t.Context())
	failed(t, err, provider.ErrMisconfigured)
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "http://github.example.com/token")
	_, err = source.Token(t.Context())
	failed(t, err, provider.ErrMisconfigured)
	require.ErrorContains(t, err, "use https://")
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "")
	_, err = source.Token(t.Context())
	failed(t, err, provider.ErrMisconfigured)
	require.ErrorContains(t, err, "id-token: write")
}

func TestCommand(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs sh")
	}
	run := func(script string) (provider.Secret, error) {
		return client.Command("sh", "-c", script, "secret-argument").Token(t.Context())
	}
	got, err := run("echo; echo '  " + token + " '; echo a warning >&2; read x || exit 0; exit 1")
	require.NoError(t, err)
	require.Equal(t, token, got.Reveal())
	for _, tt := range []struct {
		script string
		kind   provider.Kind
		says   string
	}{
		{"exit 3", provider.ErrUnavailable, "exit status 3"},
		{"echo 'Unable to locate credentials.' >&2; exit 253", provider.ErrUnavailable, "Unable to locate credentials."},
		{"echo " + token + "; exit 1", provider.ErrUnavailable, "exit status 1"},
		{"echo " + token + " | tee /dev/stderr; exit 1", provider.ErrUnavailable, "exit status 1"},
		{"echo 'Authorization: Bearer " + token + "' >&2; exit 1", provider.ErrUnavailable, "[...]"},
		{"echo '{\"access_token\": \"" + token + "\"}' >&2; exit 1", provider.ErrUnavailable, "[...]"},
		{"echo 'x " + token + "' >&2; exit 1", provider.ErrUnavailable, "[...]"},
		{"i=0; while [ $i -lt 3000 ]; do echo " + token + " >&2; i=$((i+1)); done; exit 1", provider.ErrUnavailable, "exit status 1"},
		{"kill -9 $$", provider.ErrUnavailable, "killed"},
		{"true", provider.ErrMisconfigured, "empty"},
		{"echo '{\"WebIdentityToken\": \"" + token + "\"}'", provider.ErrMisconfigured, "--query WebIdentityToken --output text"},
		{"echo " + token + "; echo " + token, provider.ErrMisconfigured, "inside"},
		{"head -c 200000 /dev/zero | tr '\\0' x", provider.ErrMisconfigured, "longer than"},
	} {
		_, err := run(tt.script)
		failed(t, err, tt.kind)
		require.ErrorContains(t, err, tt.says)
		require.NotContains(t, err.Error(), "secret-argument")
	}
	_, err = client.Command("rise-no-such-program").Token(t.Context())
	failed(t, err, provider.ErrMisconfigured)
	require.ErrorIs(t, err, exec.ErrNotFound)

	// It ends with the context, even if a child of its own holds its output open.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = client.Command("sh", "-c", "sleep 20 & sleep 20").Token(ctx)
	failed(t, err, provider.ErrTimeout)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
