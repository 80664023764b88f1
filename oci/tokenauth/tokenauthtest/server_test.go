package tokenauthtest_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/tokenauthtest"
)

const password = "correct-horse-battery"

func newServer(t *testing.T, kind tokenauthtest.Kind, actions ...string) *tokenauthtest.Server {
	t.Helper()
	s := tokenauthtest.NewServer(tokenauthtest.Config{Kind: kind, Accounts: []tokenauthtest.Account{{Username: "rise", Password: password, Rights: map[string][]string{"apps/*": actions}}}})
	t.Cleanup(s.Close)
	return s
}

// ask asks the token server, and returns the status, the answer and what the token in it says.
func ask(t *testing.T, s *tokenauthtest.Server, password string, scopes ...string) (status int, answer, claims map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.TokenURL+"?"+url.Values{"service": {s.Service()}, "scope": scopes}.Encode(), nil)
	require.NoError(t, err)
	r.SetBasicAuth("rise", password)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.NoError(t, json.Unmarshal(text, &answer))
	token, _ := answer["token"].(string)
	if token == "" {
		token, _ = answer["access_token"].(string)
	}
	if parts := strings.Split(token, "."); len(parts) == 3 {
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(payload, &claims))
	}
	return response.StatusCode, answer, claims
}

// access is what claims say, as scopes.
func access(claims map[string]any) string {
	var all []string
	entries, _ := claims["access"].([]any)
	for _, one := range entries {
		e := one.(map[string]any)
		var actions []string
		for _, action := range e["actions"].([]any) {
			actions = append(actions, action.(string))
		}
		all = append(all, e["name"].(string)+":"+strings.Join(actions, ","))
	}
	return strings.Join(all, " ")
}

// What each narrows and answers, as documented.
func TestWays(t *testing.T) {
	t.Parallel()
	for kind, want := range map[tokenauthtest.Kind]struct {
		members         []string
		life            time.Duration
		pull, everybody string // of a pull by who may push and delete; of a wrong password
	}{
		tokenauthtest.GitLab:    {[]string{"token"}, 5 * time.Minute, "apps/hello:pull", "401"},
		tokenauthtest.Harbor:    {[]string{"token", "access_token", "expires_in", "issued_at"}, 30 * time.Minute, "apps/hello:*,delete,pull,push", "apps/hello:"},
		tokenauthtest.Quay:      {[]string{"token"}, time.Hour, "apps/hello:pull", "401"},
		tokenauthtest.DockerHub: {[]string{"token", "access_token", "expires_in", "issued_at"}, 5 * time.Minute, "apps/hello:pull", "401"},
		tokenauthtest.ACR:       {[]string{"access_token"}, 75 * time.Minute, "apps/hello:pull", "401"},
	} {
		s := newServer(t, kind, "pull", "push", "delete")
		status, answer, claims := ask(t, s, password, "repository:apps/hello:pull")
		require.Equal(t, http.StatusOK, status, kind)
		require.Len(t, answer, len(want.members), kind)
		for _, member := range want.members {
			require.Contains(t, answer, member, kind)
		}
		require.InDelta(t, want.life.Seconds(), claims["exp"].(float64)-claims["iat"].(float64), 1, kind)
		require.Equal(t, s.Service(), claims["aud"], kind)
		require.Equal(t, want.pull, access(claims), kind)

		_, _, claims = ask(t, s, password, "repository:apps/hello:pull,push repository:elsewhere/x:pull", "registry:catalog:*")
		require.NotContains(t, access(claims), "elsewhere/x:pull", kind)

		status, _, claims = ask(t, s, "another", "repository:apps/hello:pull")
		if want.everybody == "401" {
			require.Equal(t, http.StatusUnauthorized, status, kind)
		} else {
			require.Equal(t, want.everybody, access(claims), kind)
		}
	}
}

// Clients use it as they would a registry: they find the token server by its challenge, and are refused what the account may not.
func TestClients(t *testing.T) {
	t.Parallel()
	for _, kind := range tokenauthtest.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			s := newServer(t, kind, "pull", "push")
			image, err := random.Image(64, 1)
			require.NoError(t, err)
			write := func(repository, password string) error {
				tag, err := name.NewTag(s.RegistryHost + "/" + repository + ":v1")
				require.NoError(t, err)
				return remote.Write(tag, image, remote.WithAuth(&authn.Basic{Username: "rise", Password: password}))
			}
			require.NoError(t, write("apps/hello", password))
			require.Error(t, write("elsewhere/hello", password))
			require.Error(t, write("apps/hello2", "another"))
		})
	}
}

// A token that somebody changed is none.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	s := newServer(t, tokenauthtest.Quay, "pull", "push")
	_, answer, _ := ask(t, s, password, "repository:apps/hello:pull")
	token := answer["token"].(string)
	status := func(token string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.RegistryHost+"/v2/apps/hello/tags/list", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	require.Equal(t, http.StatusNotFound, status(token))
	parts := strings.Split(token, ".")
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"aud":"` + s.Service() + `","exp":9999999999,"access":[{"type":"repository","name":"apps/hello","actions":["*"]}]}`))
	for _, bad := range []string{"", "x", parts[0] + "." + forged + "." + parts[2], parts[0] + "." + parts[1] + ".", token[:len(token)-4]} {
		require.Equal(t, http.StatusUnauthorized, status(bad))
	}
	s.Claims(func(claims map[string]any) { claims["exp"] = time.Now().Add(-time.Second).Unix() })
	_, answer, _ = ask(t, s, password, "repository:apps/hello:pull")
	require.Equal(t, http.StatusUnauthorized, status(answer["token"].(string)))
}
