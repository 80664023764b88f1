package tokenauth_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/tokenauthtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// The login for clusters is proven to pull only, once an hour and with each new password.
func TestPullLoginIsProven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		file := filepath.Join(t.TempDir(), "password")
		require.NoError(t, os.WriteFile(file, []byte(pullPassword+"\n"), 0o600))
		c := f.config()
		c.PullPassword, c.PullPasswordFile = provider.Secret{}, file
		p := newProvider(t, c, f.option())
		asked := 0
		var says response
		f.answers(func(r *http.Request, claims map[string]any) *http.Response {
			asked++
			require.Contains(t, []string{"repository:rise-apps/rise-probe:pull,push", "repository:rise-apps/rise-probe:pull,delete"}, r.URL.Query().Get("scope"))
			return says(r, claims)
		})
		can := func(actions ...string) {
			says = saysAccess(entry("repository", "rise-apps/rise-probe", actions...))
		}
		get := func() (string, error) {
			c, err := provider.Issue(t.Context(), p, forAll)
			return c.Password.Reveal(), err
		}
		can("pull")
		for range 3 {
			got, err := get()
			require.NoError(t, err)
			require.Equal(t, pullPassword, got)
		}
		require.Equal(t, 2, asked)
		can("pull", "push") // somebody gave it more
		time.Sleep(59 * time.Minute)
		_, err := get()
		require.NoError(t, err)
		time.Sleep(time.Minute)
		refused(t, p, forAll, provider.ErrMisconfigured)
		refused(t, p, forAll, provider.ErrMisconfigured)
		require.Equal(t, 4, asked)
		can("pull")
		_, err = get()
		require.NoError(t, err)

		can("pull", "push")
		require.NoError(t, os.WriteFile(file, []byte(pullPassword+"2"), 0o600))
		refused(t, p, forAll, provider.ErrMisconfigured)
		require.NoError(t, os.WriteFile(file, []byte(pullPassword), 0o600))
		refused(t, p, forAll, provider.ErrMisconfigured)

		for name, answer := range map[string]response{
			"delete":             saysAccess(entry("repository", "rise-apps/rise-probe", "pull", "delete")),
			"everything":         saysAccess(entry("repository", "rise-apps/rise-probe", "*")),
			"another repository": saysAccess(entry("repository", "rise-apps/rise-probe", "pull"), entry("repository", "rise-apps/hello", "pull", "push")),
			"the catalog":        saysAccess(entry("registry", "catalog", "*")),
			"opaque":             body(200, `{"token":"djE6cmlzZTpodW50ZXIy"}`),
			"no claim":           saysClaims(map[string]any{"access": nil}),
			"no end":             saysClaims(map[string]any{"exp": nil}),
			"another audience":   saysClaims(map[string]any{"aud": "other.example.com", "access": []any{}}),
		} {
			says = answer
			require.NotEmpty(t, refused(t, p, forAll, provider.ErrMisconfigured).hint, name)
		}
		for status, kind := range map[int]provider.Kind{401: provider.ErrAccessDenied, 403: provider.ErrAccessDenied, 429: provider.ErrThrottled, 503: provider.ErrUnavailable, 302: provider.ErrMisconfigured} {
			says = body(status, "")
			refused(t, p, forAll, kind)
		}
		says = saysAccess() // of a repository that isn't there, some say nothing
		_, err = get()
		require.NoError(t, err)
	})
}

// A login that may delete isn't one for clusters, though no token says so that wasn't asked for it.
func TestPullLoginThatDeletes(t *testing.T) {
	t.Parallel()
	for _, kind := range []tokenauthtest.Kind{tokenauthtest.GitLab, tokenauthtest.Harbor, tokenauthtest.Quay, tokenauthtest.DockerHub, tokenauthtest.ACR} {
		all := accounts()
		all[1].Rights = map[string][]string{"rise-apps/*": {"pull", "delete"}}
		err := refused(t, newProvider(t, configFor(newServer(t, kind, all...))), forAll, provider.ErrMisconfigured)
		require.Contains(t, err.message, "allows delete too", kind)
	}
	// Who doesn't know delete, or has it for nobody, refuses the question. What fails otherwise proves nothing.
	f := newFake(t)
	for status, kind := range map[int]provider.Kind{
		400: "", 401: "", 403: "", 404: "", 302: provider.ErrMisconfigured, 429: provider.ErrThrottled, 500: provider.ErrUnavailable, 409: provider.ErrBadResponse,
	} {
		f.answers(func(r *http.Request, claims map[string]any) *http.Response {
			if strings.HasSuffix(r.URL.Query().Get("scope"), "delete") {
				return body(status, "")(r, claims)
			}
			return saysAccess(entry("repository", "rise-apps/rise-probe", "pull"))(r, claims)
		})
		p := newProvider(t, f.config(), f.option()) // with nothing proven
		if kind != "" {
			refused(t, p, forAll, kind)
			continue
		}
		_, err := provider.Issue(t.Context(), p, forAll)
		require.NoError(t, err, status)
	}
	f.answers(func(r *http.Request, claims map[string]any) *http.Response {
		if strings.HasSuffix(r.URL.Query().Get("scope"), "delete") {
			return body(200, `{"token":"djE6cmlzZTpodW50ZXIy"}`)(r, claims)
		}
		return saysAccess(entry("repository", "rise-apps/rise-probe", "pull"))(r, claims)
	})
	refused(t, newProvider(t, f.config(), f.option()), forAll, provider.ErrMisconfigured)
}

func saysClaims(changes map[string]any) response { return says(changes) }

func saysAccess(entries ...any) response {
	if entries == nil {
		entries = []any{}
	}
	return says(map[string]any{"access": entries})
}

// Harbor answers a wrong password with a token for nothing, which proves nothing.
func TestWrongPullPasswordAtHarbor(t *testing.T) {
	t.Parallel()
	c := configFor(newServer(t, tokenauthtest.Harbor))
	c.PullPassword = provider.NewSecret("another-password")
	require.Contains(t, refused(t, newProvider(t, c), forAll, provider.ErrAccessDenied).hint, "Harbor answers a wrong one with a token for nothing")
}
