package tokenissuer_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/keys"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// fuzzed is a provider and its parts.
func fuzzed(f *testing.F, change func(*tokenissuer.Config)) (*tokenissuer.Provider, signing, *keys.Ring) {
	f.Helper()
	a, err := tokenkeys.NewAuthority()
	require.NoError(f, err)
	s := signing{authority: a, authorityPEM: a.CertificatePEM()}
	s.key, s.certificatePEM, err = a.NewSigningKey(365 * 24 * time.Hour)
	require.NoError(f, err)
	c := config()
	c.SessionDuration = 12 * time.Hour // a long run goes on with its first grant
	change(&c)
	p, err := tokenissuer.New(c, s.option(), quiet())
	require.NoError(f, err)
	ring, err := keys.Parse(s.key, s.certificatePEM, host, time.Now())
	require.NoError(f, err)
	return p, s, ring
}

func fuzzedGrant(f *testing.F, p *tokenissuer.Provider, r provider.Request) string {
	f.Helper()
	c, err := p.Credentials(f.Context(), r)
	require.NoError(f, err)
	return c.Password.Reveal()
}

// Whatever is asked for, a grant opens its repository, what is below it, and pulls the shared ones.
func FuzzScopes(f *testing.F) {
	p, _, _ := fuzzed(f, func(c *tokenissuer.Config) {
		c.SubRepositories, c.SharedRepositories = true, []string{"base", "mirror/*"}
	})
	h := p.Handler(allGood, nil, silent())
	pushes, pulls := fuzzedGrant(f, p, push("hello")), fuzzedGrant(f, p, provider.Request{Project: "hello", Access: provider.Pull})
	for _, scope := range []string{
		"", "repository:rise-apps/hello:pull,push", "repository:rise-apps/hello/web:push", "repository:base:pull,push", "repository:mirror/x/y:pull", "registry:catalog:*",
		"repository:rise-apps/hello/../other:pull", "repository:rise-apps/other:pull repository:rise-apps/hello:*", "repository(plugin):rise-apps/hello:pull", "a:b:c:d:e",
		"repository:rise-apps/hello:pull:push", "repository:rise-apps/hello\x00:pull", ":::", "repository::pull",
	} {
		f.Add(scope, scope)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		for grant, actions := range map[string][]string{pushes: {"pull", "push", "pull,push"}, pulls: {"pull"}} {
			r := exchange(t, h, grant, first, second)
			if r.status == http.StatusForbidden {
				continue
			}
			require.Equal(t, http.StatusOK, r.status)
			for _, scope := range r.access() {
				name, action := cutScope(scope)
				switch {
				case name == "rise-apps/hello" || strings.HasPrefix(name, "rise-apps/hello/") && !strings.Contains(name, ".."):
					require.Contains(t, actions, action)
				case name == "base" || strings.HasPrefix(name, "mirror/") && !strings.Contains(name, ".."):
					require.Equal(t, "pull", action)
				default:
					t.Errorf("%q and %q give %q", first, second, scope)
				}
				require.Contains(t, first+" "+second, name, "nothing that wasn't asked for")
			}
		}
	})
}

// cutScope returns the name and the actions of a scope in its one form.
func cutScope(scope string) (name, actions string) {
	rest := strings.TrimPrefix(scope, "repository:")
	i := strings.LastIndexByte(rest, ':')
	return rest[:i], rest[i+1:]
}

// No password opens anything but a grant that was made; and no claims that the right key signed, but those that are as this service makes them.
func FuzzGrants(f *testing.F) {
	p, _, ring := fuzzed(f, func(*tokenissuer.Config) {})
	h := p.Handler(allGood, nil, silent())
	good := fuzzedGrant(f, p, push("hello"))
	parts := strings.Split(good, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(f, err)
	f.Add(good, string(payload))
	f.Add(parts[0]+"."+parts[1]+".", strings.Replace(string(payload), "hello", "other", 2))
	f.Add("", "{}")
	f.Add("rise-dev-token", strings.Replace(string(payload), "push", "pull", 1))
	f.Add("e30."+parts[1]+"."+parts[2], "null")
	f.Fuzz(func(t *testing.T, password, claims string) {
		if r := exchange(t, h, password, "repository:rise-apps/hello:pull,push"); r.status == http.StatusOK {
			// The last character of base64 has bits that say nothing.
			require.Equal(t, parts[:2], strings.Split(password, ".")[:2])
			require.Equal(t, []string{"repository:rise-apps/hello:pull,push"}, r.access())
		} else {
			require.Equal(t, http.StatusUnauthorized, r.status)
		}
		signed, err := ring.SignGrant([]byte(claims))
		require.NoError(t, err)
		r := exchange(t, h, signed, "repository:rise-apps/hello:pull,push", "repository:rise-apps/other:pull,push")
		var says struct {
			Project, Repository, Rights, Iss, Aud string
			AllProjects                           bool `json:"all_projects"`
		}
		if r.status == http.StatusUnauthorized {
			return
		}
		require.NoError(t, json.Unmarshal([]byte(claims), &says))
		require.Equal(t, []string{"rise", host}, []string{says.Iss, says.Aud})
		if says.AllProjects {
			require.Equal(t, "pull", says.Rights)
		} else {
			require.Equal(t, says.Repository, "rise-apps/"+says.Project)
		}
		if r.status == http.StatusOK {
			for _, scope := range r.access() {
				name, actions := cutScope(scope)
				require.True(t, says.AllProjects || name == says.Repository)
				require.True(t, says.Rights == "push" || actions == "pull")
			}
		}
	})
}

// Every token is one that a registry takes, bounded, and says no more than it was asked to.
func FuzzTokens(f *testing.F) {
	p, s, _ := fuzzed(f, func(c *tokenissuer.Config) { c.SubRepositories = true })
	f.Add("alice", "repository:rise-apps/hello:pull,push", 1)
	f.Add(`<"\&é`+strings.Repeat("漢", 300), "repository:rise-apps/hello/a:pull", 40)
	f.Add(strings.Repeat("\xff\n", 300), "", 0)
	f.Fuzz(func(t *testing.T, subject, scope string, times int) {
		var scopes []string
		for i := range min(max(times, 0), 64) {
			scopes = append(scopes, strings.Replace(scope, "hello/", "hello/"+strings.Repeat("x", i+1), 1))
		}
		h := p.Handler(allGood, func(_ *http.Request, _ provider.Secret, asked []provider.Request) (string, []provider.Request, error) {
			return subject, asked, nil
		}, silent())
		r := exchange(t, h, "a token", scopes...)
		if r.status == http.StatusForbidden || r.status == http.StatusBadRequest { // or too long
			return
		}
		require.Equal(t, http.StatusOK, r.status)
		token := r.body["token"].(string)
		require.Less(t, len(token), 8000)
		can, ok := verify(token, s, host)
		require.True(t, ok)
		for _, one := range can {
			name, action, _ := strings.Cut(one, ":")
			require.True(t, strings.HasPrefix(name, "rise-apps/"))
			require.True(t, slices.Contains([]string{"pull", "push"}, action))
		}
	})
}
