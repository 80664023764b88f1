package tokenauth_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/tokenauthtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// The service's logins.
const (
	user         = "rise"
	password     = "correct-horse-battery"
	pullUser     = "rise-pull"
	pullPassword = "staple-correct-horse"
)

// accounts are those with the least rights that each is documented to need.
func accounts() []tokenauthtest.Account {
	return []tokenauthtest.Account{
		{Username: user, Password: password, Rights: map[string][]string{"rise-apps/*": {"pull", "push"}}},
		{Username: pullUser, Password: pullPassword, Rights: map[string][]string{"rise-apps/*": {"pull"}}},
	}
}

func newServer(t *testing.T, kind tokenauthtest.Kind, all ...tokenauthtest.Account) *tokenauthtest.Server {
	t.Helper()
	if all == nil {
		all = accounts()
	}
	s := tokenauthtest.NewServer(tokenauthtest.Config{Kind: kind, Accounts: all})
	t.Cleanup(s.Close)
	return s
}

// configFor is the configuration for a server: token_url is set where the token server is elsewhere.
func configFor(s *tokenauthtest.Server) tokenauth.Config {
	c := tokenauth.Config{
		RegistryURL: s.RegistryHost, Namespace: "rise-apps", Username: user, Password: provider.NewSecret(password),
		PullUsername: pullUser, PullPassword: provider.NewSecret(pullPassword),
	}
	if !strings.Contains(s.TokenURL, s.RegistryHost) {
		c.TokenURL = s.TokenURL
	}
	return c
}

func newProvider(t *testing.T, c tokenauth.Config, opts ...tokenauth.Option) *tokenauth.Provider {
	t.Helper()
	p, err := tokenauth.New(c, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func push(project string) provider.Request {
	return provider.Request{Project: project, Access: provider.Push}
}

func pull(project string) provider.Request {
	return provider.Request{Project: project, Access: provider.Pull}
}

var forAll = provider.Request{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster}

// tokenFor is what a project is handed out.
func tokenFor(t *testing.T, p provider.Provider, r provider.Request) string {
	t.Helper()
	c, err := provider.Issue(t.Context(), p, r)
	require.NoError(t, err)
	require.Equal(t, provider.RegistryToken, c.Method)
	require.Empty(t, c.Username)
	return c.Password.Reveal()
}

// decode reads a token's claims.
func decode(t *testing.T, token string) (claims struct {
	Exp    int64
	Aud    string
	Access []struct {
		Type, Name string
		Actions    []string
	}
}) {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &claims))
	return claims
}

// expiry is when the registry refuses a credential; a login never ends.
func expiry(t *testing.T, c provider.Credentials) time.Time {
	t.Helper()
	if c.Method != provider.RegistryToken {
		return time.Time{}
	}
	return time.Unix(decode(t, c.Password.Reveal()).Exp, 0)
}

// refusal is an error's text and hint.
type refusal struct{ message, hint string }

// refused asks for what there must be no credential for, and returns what the error says, in which there is no secret.
func refused(t *testing.T, p provider.Provider, r provider.Request, kind provider.Kind) refusal {
	t.Helper()
	c, err := provider.Issue(t.Context(), p, r)
	require.Error(t, err)
	require.Equal(t, string(kind), string(provider.KindOf(err)), err)
	require.True(t, c.Password.IsZero())
	clean(t, fmt.Sprintf("%v %+v", err, err))
	var e *provider.Error
	require.True(t, errors.As(err, &e))
	require.Equal(t, r.Project, e.Project)
	return refusal{e.Error(), e.Hint}
}

// clean requires a text without secrets.
func clean(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{password, pullPassword} {
		require.NotContains(t, text, secret)
		for _, name := range []string{user, pullUser} {
			require.NotContains(t, text, base64.StdEncoding.EncodeToString([]byte(name+":"+secret)))
		}
	}
}
