package static_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/static"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

func open(t *testing.T, tokens []config.Token) *static.Tokens {
	t.Helper()
	opened, err := static.New(tokens, false, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return opened
}

func request(t *testing.T, token string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// subject is whose a token is; empty: nobody's.
func subject(t *testing.T, tokens *static.Tokens, token string) string {
	t.Helper()
	caller, err := tokens.Authenticate(request(t, token))
	if err != nil {
		require.ErrorIs(t, err, endpoint.ErrUnauthenticated)
		return ""
	}
	return caller.Subject()
}

func TestTokens(t *testing.T) {
	t.Parallel()
	tokens := open(t, []config.Token{
		{Token: provider.NewSecret("pusher"), Subject: "pusher", Projects: []string{"hello", "team-*", "*-x-*-y"}, Access: provider.Push, Login: true},
		{Token: provider.NewSecret("puller"), Subject: "puller", Projects: []string{"*"}},
		{Token: provider.NewSecret("nobody"), Subject: "nobody", Access: provider.Push},
	})
	authenticate := func(token string) (static.Caller, error) { return tokens.Authenticate(request(t, token)) }
	for _, token := range []string{"", "push", "pushers", "PUSHER", "pusher puller"} {
		_, err := authenticate(token)
		require.ErrorIs(t, err, endpoint.ErrUnauthenticated, token)
	}
	for _, test := range []struct {
		token, project string
		access         provider.Access
		allowed        bool
	}{
		{"pusher", "hello", provider.Push, true}, {"pusher", "hello", provider.Pull, true}, {"pusher", "hello-2", provider.Pull, false},
		{"pusher", "hell", provider.Pull, false}, {"pusher", "team-a", provider.Push, true}, {"pusher", "team", provider.Push, false},
		{"pusher", "my-team-a", provider.Push, false}, {"pusher", "a-x-b-y", provider.Push, true}, {"pusher", "a-x-y", provider.Push, false},
		{"pusher", "a-x-b-y-c", provider.Push, false}, {"pusher", "a-x-b-y-x-y", provider.Push, true},
		{"puller", "anything", provider.Pull, true}, {"puller", "anything", provider.Push, false},
		{"nobody", "hello", provider.Pull, false},
	} {
		caller, err := authenticate(test.token)
		require.NoError(t, err)
		require.Equal(t, test.token, caller.Subject())
		err = tokens.Authorize(t.Context(), caller, provider.Request{Project: test.project, Access: test.access})
		if test.allowed {
			require.NoError(t, err, "%+v", test)
		} else {
			require.ErrorIs(t, err, provider.ErrNotFound, "%+v", test)
		}
	}
	caller, err := tokens.AuthenticateLogin(request(t, "pusher"))
	require.NoError(t, err)
	require.Equal(t, "pusher", caller.Subject())
	for _, token := range []string{"puller", "nobody", "guess"} {
		_, err := tokens.AuthenticateLogin(request(t, token))
		require.ErrorIs(t, err, endpoint.ErrUnauthenticated, token)
	}
}

func TestHashes(t *testing.T) {
	t.Parallel()
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte("token-of-the-ci-1")))
	tokens := open(t, []config.Token{{SHA256: provider.NewSecret(hash), Subject: "ci"}})
	require.Equal(t, "ci", subject(t, tokens, "token-of-the-ci-1"))
	for _, token := range []string{hash, "token-of-the-ci-2", strings.ToUpper(hash), ""} {
		require.Empty(t, subject(t, tokens, token), token)
	}
}

func TestExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ends := time.Now().Add(time.Hour)
		tokens := open(t, []config.Token{
			{Token: provider.NewSecret("token-that-expires"), Subject: "expires", Login: true, Expires: ends.Format(time.RFC3339)},
			{Token: provider.NewSecret("token-that-doesn't"), Subject: "stays"},
		})
		time.Sleep(time.Hour - time.Nanosecond)
		require.Equal(t, "expires", subject(t, tokens, "token-that-expires"))
		time.Sleep(time.Nanosecond)
		require.Empty(t, subject(t, tokens, "token-that-expires"))
		_, err := tokens.AuthenticateLogin(request(t, "token-that-expires"))
		require.ErrorIs(t, err, endpoint.ErrUnauthenticated)
		require.Equal(t, "stays", subject(t, tokens, "token-that-doesn't"))
	})
}

// Tokens are exchanged without a restart, the old one and the new one both good in between; and what is no longer in a file is no token.
func TestFiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "token")
		write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
		const older, newer, fixed = "token-that-is-older", "token-that-is-newer", "token-in-the-config"
		write(older + "\n")
		var log bytes.Buffer
		tokens, err := static.New([]config.Token{
			{File: path, Subject: "ci", Projects: []string{"hello"}}, {Token: provider.NewSecret(fixed), Subject: "other"},
		}, true, slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		require.Equal(t, "ci", subject(t, tokens, older))
		for _, step := range []struct {
			text         string
			older, newer bool
			says         string
		}{
			{older + "\r\n" + newer + "\n\n", true, true, ""},
			{newer, false, true, ""},
			{"", false, false, "holds no token"},
			{newer + "\n", false, true, "right again"},
			{newer + "\nshort\n", false, false, "in line 2 what can't be a token: it must have at least 16"},
			{newer + "\n" + older + " \n", false, false, "begins or ends with white space"},
			{"\ufeff" + newer, false, false, "byte order mark"},
			{older + "\n" + config.DevelopmentToken, false, false, "holds the development token"},
			{strings.Repeat(older+"\n", 11), false, false, "more than 10 tokens"},
			{strings.Repeat("x", 1<<17), false, false, "is over 65536 bytes"},
			{newer + "\n" + fixed, false, true, "somebody else's too"},
			{older, true, false, "right again"},
		} {
			log.Reset()
			write(step.text)
			time.Sleep(2 * time.Second)
			require.Equal(t, step.older, subject(t, tokens, older) == "ci", "%.80q", step.text)
			require.Equal(t, step.newer, subject(t, tokens, newer) == "ci", "%.80q", step.text)
			require.Equal(t, "other", subject(t, tokens, fixed), "nobody takes over what the configuration gives")
			require.Contains(t, log.String(), step.says, "%.80q", step.text)
			require.NotContains(t, log.String(), "token-that-is")
			log.Reset()
			time.Sleep(2 * time.Second)
			require.Empty(t, subject(t, tokens, "token-of-nobody-"))
			require.Empty(t, log.String(), "said once")
		}
		require.NoError(t, os.Remove(path))
		time.Sleep(2 * time.Second)
		require.Empty(t, subject(t, tokens, older), "gone with its file")
		require.NoError(t, os.Mkdir(path, 0o700))
		require.NoError(t, os.Remove(path))
		write(older)
		time.Sleep(2 * time.Second)
		require.Equal(t, "ci", subject(t, tokens, older))
		require.NoError(t, os.Remove(path))
		require.NoError(t, os.Mkdir(path, 0o700))
		time.Sleep(2 * time.Second)
		require.Equal(t, "ci", subject(t, tokens, older), "what can't be read is as it was")
		require.Contains(t, log.String(), "is a directory")
	})
}

// One token in two callers' files is nobody's.
func TestFilesOfTwo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write := func(name, text string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		tokens := []config.Token{{File: filepath.Join(dir, "a"), Subject: "a"}, {File: filepath.Join(dir, "b"), Subject: "b"}}
		write("a", "token-of-both----\ntoken-of-a-alone")
		write("b", "token-of-both----\ntoken-of-b-alone")
		_, err := static.New(tokens, false, slog.New(slog.DiscardHandler))
		require.ErrorIs(t, err, provider.ErrMisconfigured)
		require.ErrorContains(t, err, "auth.tokens[0].token_file: holds a token that is somebody else's too\nauth.tokens[1].token_file: holds")
		require.NotContains(t, err.Error(), "token-of")
		write("b", "token-of-b-alone")
		opened := open(t, tokens)
		require.Equal(t, "a", subject(t, opened, "token-of-both----"))
		write("b", "token-of-both----\ntoken-of-b-alone")
		time.Sleep(2 * time.Second)
		require.Empty(t, subject(t, opened, "token-of-both----"))
		require.Equal(t, "a", subject(t, opened, "token-of-a-alone"))
		require.Equal(t, "b", subject(t, opened, "token-of-b-alone"))
	})
}
