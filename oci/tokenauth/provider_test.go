package tokenauth_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/tokenauthtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Each kind of token server, with the accounts that the guide says to make: tokens for exactly what is asked, or the reason why there are none.
func TestKinds(t *testing.T) {
	t.Parallel()
	for _, kind := range tokenauthtest.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			s := newServer(t, kind)
			p := newProvider(t, configFor(s))
			if !kind.Scoped() {
				e := refused(t, p, push("hello"), provider.ErrUnsupported)
				require.Contains(t, e.hint, "oci-client-auth")
				refused(t, p, pull("hello"), provider.ErrUnsupported)
				refused(t, p, forAll, provider.ErrMisconfigured)
				return
			}
			for _, r := range []provider.Request{push("hello"), pull("hello")} {
				c, err := provider.Issue(t.Context(), p, r)
				require.NoError(t, err)
				require.Equal(t, s.RegistryHost+"/rise-apps/hello", c.Target.String())
				claims := decode(t, c.Password.Reveal())
				require.Len(t, claims.Access, 1)
				require.Equal(t, "rise-apps/hello", claims.Access[0].Name)
				want := []string{"pull"}
				if r.Access == provider.Push {
					want = []string{"pull", "push"}
				}
				require.ElementsMatch(t, want, claims.Access[0].Actions)
				require.LessOrEqual(t, c.ExpiresAt.Unix(), claims.Exp)
				require.Greater(t, c.ExpiresAt.Unix(), claims.Exp-5)
			}
			c, err := provider.Issue(t.Context(), p, forAll)
			require.NoError(t, err)
			require.Equal(t, pullUser, c.Username)
			require.Equal(t, pullPassword, c.Password.Reveal())
			require.Zero(t, c.ExpiresAt)
			_, err = c.PullSecret()
			require.NoError(t, err)
			e := refused(t, p, provider.Request{Project: "hello", Access: provider.Pull, Consumer: provider.Cluster}, provider.ErrUnsupported)
			require.Contains(t, e.message, "kubelets and containerd take a user name and a password only")
		})
	}
}

// An account with the usual rights is too wide for some, and too narrow for all.
func TestAccountsWithOtherRights(t *testing.T) {
	t.Parallel()
	account := func(actions ...string) []tokenauthtest.Account {
		all := accounts()
		all[0].Rights = map[string][]string{"rise-apps/*": actions}
		return all
	}
	for _, kind := range []tokenauthtest.Kind{tokenauthtest.GitLab, tokenauthtest.Harbor, tokenauthtest.Quay, tokenauthtest.DockerHub, tokenauthtest.ACR} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, configFor(newServer(t, kind, account("pull", "push", "delete")...)))
			if kind == tokenauthtest.Harbor {
				require.Contains(t, refused(t, p, push("hello"), provider.ErrMisconfigured).hint, "no Delete")
			} else {
				tokenFor(t, p, push("hello"))
			}
			p = newProvider(t, configFor(newServer(t, kind, account("pull")...)))
			require.Contains(t, refused(t, p, push("hello"), provider.ErrAccessDenied).message, "doesn't allow push")
			p = newProvider(t, configFor(newServer(t, kind, account()...)))
			require.Contains(t, refused(t, p, push("hello"), provider.ErrAccessDenied).message, "allows nothing of pull and push")

			c := configFor(newServer(t, kind))
			c.Password = provider.NewSecret("another-password")
			e := refused(t, newProvider(t, c), push("hello"), provider.ErrAccessDenied)
			if kind == tokenauthtest.Harbor {
				require.Contains(t, e.hint, "Harbor answers a wrong one with a token for nothing")
			} else {
				require.Contains(t, e.message, "refuses the login of username: it answered 401")
			}
		})
	}
}

// Pulls are asked for with pull_username where there is one: a login that can't be narrowed would push.
func TestPullsWithTheirOwnLogin(t *testing.T) {
	t.Parallel()
	s := newServer(t, tokenauthtest.Harbor)
	c := configFor(s)
	p := newProvider(t, c)
	tokenFor(t, p, pull("hello"))
	c.PullUsername, c.PullPassword = "", provider.Secret{}
	p = newProvider(t, c)
	require.Contains(t, refused(t, p, pull("hello"), provider.ErrMisconfigured).hint, "set pull_username")
	require.Contains(t, refused(t, p, forAll, provider.ErrUnsupported).hint, "set pull_username")
	tokenFor(t, p, push("hello"))
	var users []string
	for _, r := range s.Requests() {
		if r.TokenServer {
			users = append(users, r.Username)
		}
	}
	require.Equal(t, []string{pullUser, user, user}, users)
}

// Once it is known where the token server is, a credential is one request. The challenge is read again after an hour, and compared again.
func TestOneRoundTrip(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		p := newProvider(t, f.config(), f.option())
		for range 5 {
			tokenFor(t, p, push("hello"))
		}
		require.Equal(t, []string{"/v2/", "/token", "/token", "/token", "/token", "/token"}, f.paths())
		time.Sleep(59 * time.Minute)
		tokenFor(t, p, push("hello"))
		require.Len(t, f.paths(), 7)
		time.Sleep(2 * time.Minute)
		tokenFor(t, p, push("hello"))
		require.Equal(t, "/v2/", f.paths()[7])

		f.challenge("https://elsewhere.example.com/token", service)
		tokenFor(t, p, push("hello"))
		time.Sleep(61 * time.Minute)
		require.Contains(t, refused(t, p, push("hello"), provider.ErrMisconfigured).hint, "token_url: https://elsewhere.example.com/token")
		refused(t, p, push("hello"), provider.ErrMisconfigured)
		f.challenge(f.realm(), service)
		tokenFor(t, p, push("hello"))

		time.Sleep(61 * time.Minute)
		f.registryDown.Store(true) // what was known counts while it can't be read
		tokenFor(t, p, push("hello"))
		n := len(f.paths())
		tokenFor(t, p, push("hello"))
		require.Len(t, f.paths(), n+1)
		time.Sleep(6 * time.Minute)
		tokenFor(t, p, push("hello"))
		require.Len(t, f.paths(), n+3, "and is asked for again")
	})
}

// What isn't understood any more is looked for anew.
func TestMovedTokenServer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	p := newProvider(t, f.config(), f.option())
	tokenFor(t, p, push("hello"))
	f.move("/auth")
	refused(t, p, push("hello"), provider.ErrMisconfigured)
	tokenFor(t, p, push("hello"))
}

// A file is read for each credential.
func TestPasswordFiles(t *testing.T) {
	t.Parallel()
	s := newServer(t, tokenauthtest.GitLab)
	c := configFor(s)
	own, puller := filepath.Join(t.TempDir(), "password"), filepath.Join(t.TempDir(), "password")
	c.Password, c.PasswordFile, c.PullPassword, c.PullPasswordFile = provider.Secret{}, own, provider.Secret{}, puller
	_, err := tokenauth.New(c)
	require.ErrorIs(t, err, provider.ErrMisconfigured)
	require.ErrorContains(t, err, "password_file: can't be read: no such file or directory")
	write := func(file, text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write(own, password+"\n")
	_, err = tokenauth.New(c)
	require.ErrorContains(t, err, "pull_password_file: can't be read: no such file or directory")
	write(puller, pullPassword+"\r\n")
	p := newProvider(t, c)
	tokenFor(t, p, push("hello"))
	tokenFor(t, p, pull("hello"))
	_, err = provider.Issue(t.Context(), p, forAll)
	require.NoError(t, err)
	write(own, "another-password\n")
	refused(t, p, push("hello"), provider.ErrAccessDenied)
	for text, want := range map[string]string{
		"": "is empty", "\n": "is empty", password + "\n\n": "ends in the end of a line", `"` + password + `"`: "has quotes around it", "${PASSWORD}": "is the name of a variable",
		password + "\nsecond line": "holds control characters",
	} {
		write(own, text)
		require.Contains(t, refused(t, p, push("hello"), provider.ErrMisconfigured).message, "password_file: "+want, "%q", text)
	}
	require.NoError(t, os.Remove(own))
	require.Contains(t, refused(t, p, push("hello"), provider.ErrMisconfigured).message, "password_file: can't be read")
	write(own, password)
	tokenFor(t, p, push("hello"))
}

// Connections are kept, whatever is answered, and let go of by Close.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	s := newServer(t, tokenauthtest.Harbor)
	var opened atomic.Int32
	front := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: s.RegistryHost})
	}, ModifyResponse: func(r *http.Response) error {
		r.Header.Set("WWW-Authenticate", strings.Replace(r.Header.Get("WWW-Authenticate"), s.RegistryHost, r.Request.Header.Get("X-Front"), 1))
		return nil
	}})
	handler := front.Config.Handler
	front.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("X-Front", r.Host)
		handler.ServeHTTP(w, r)
	})
	front.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	front.Start()
	t.Cleanup(front.Close)
	c := configFor(s)
	c.RegistryURL = front.URL
	p := newProvider(t, c)
	for i := range 20 {
		tokenFor(t, p, push(fmt.Sprint("hello-", i)))
		status(s, http.StatusForbidden)()
		refused(t, p, push("other"), provider.ErrAccessDenied)
		s.Wrap(nil)
	}
	require.EqualValues(t, 1, opened.Load())
	require.NoError(t, p.Close())
	tokenFor(t, p, push("hello"))
	require.EqualValues(t, 2, opened.Load())
}
