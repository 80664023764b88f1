package tokenauth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/tokenauthtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// diagnose returns the findings, in which there is no secret.
func diagnose(t *testing.T, c tokenauth.Config, o diagnosis.Options, opts ...tokenauth.Option) []diagnosis.Finding {
	t.Helper()
	findings, err := diagnosis.Of(t.Context(), newProvider(t, c, opts...), o)
	require.NoError(t, err)
	var list []diagnosis.Finding
	for f := range findings {
		list = append(list, f)
	}
	text, err := json.Marshal(list)
	require.NoError(t, err)
	clean(t, string(text))
	return list
}

func summary(list []diagnosis.Finding) string {
	var b strings.Builder
	for _, f := range list {
		b.WriteString(f.Check + " " + f.Status.String() + ": " + f.Summary + "\n")
	}
	return b.String()
}

// All is well with each kind, and nothing was changed by finding out.
func TestDiagnosisPasses(t *testing.T) {
	t.Parallel()
	for _, kind := range []tokenauthtest.Kind{tokenauthtest.GitLab, tokenauthtest.Harbor, tokenauthtest.Quay, tokenauthtest.DockerHub, tokenauthtest.ACR} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			s := newServer(t, kind)
			for _, f := range diagnose(t, configFor(s), diagnosis.Options{}) {
				if kind == tokenauthtest.Quay && f.Check == "push_token" {
					require.Equal(t, diagnosis.Skipped, f.Status)
					continue
				}
				require.Equal(t, diagnosis.Passed, f.Status, f.Check+": "+f.Summary)
			}
			require.Empty(t, s.Created())
			list := diagnose(t, configFor(s), diagnosis.Options{Project: "hello", WriteProbe: true})
			require.Len(t, list, 12)
			for _, f := range list {
				require.Equal(t, diagnosis.Passed, f.Status, f.Check+": "+f.Summary)
			}
			list = diagnose(t, configFor(s), diagnosis.Options{Project: "hello"})
			require.Equal(t, diagnosis.Skipped, list[11].Status)
		})
	}
}

// realRegistry is docker-registry with that authentication.
func realRegistry(t *testing.T, authentication bool) string {
	t.Helper()
	realtest.Program(t, "docker-registry")
	return realtest.Registry(t, authentication)
}

// Set-ups that are broken: the first finding that isn't passed says what is wrong, and what helps.
func TestDiagnosisOfBrokenSetups(t *testing.T) {
	t.Parallel()
	ready := func(kind tokenauthtest.Kind, change func(*testing.T, *tokenauthtest.Server, *tokenauth.Config)) func(*testing.T) tokenauth.Config {
		return func(t *testing.T) tokenauth.Config {
			s := newServer(t, kind)
			c := configFor(s)
			change(t, s, &c)
			return c
		}
	}
	rights := func(kind tokenauthtest.Kind, own, puller []string) func(*testing.T) tokenauth.Config {
		return func(t *testing.T) tokenauth.Config {
			all := accounts()
			all[0].Rights, all[1].Rights = map[string][]string{"rise-apps/*": own}, map[string][]string{"rise-apps/*": puller}
			return configFor(newServer(t, kind, all...))
		}
	}
	at := func(address string) tokenauth.Config {
		return tokenauth.Config{RegistryURL: address, Namespace: "rise-apps", Username: user, Password: provider.NewSecret(password)}
	}
	both := []string{"pull", "push"}
	for name, test := range map[string]struct {
		config                 func(t *testing.T) tokenauth.Config
		check, summary, remedy string
	}{
		"nothing listens": {func(t *testing.T) tokenauth.Config { return at(realtest.ClosedAddress(t)) },
			"registry", "nothing listens", "check host and port"},
		"TLS is expected": {func(t *testing.T) tokenauth.Config { return at("https://" + realRegistry(t, false)) },
			"registry", "plain HTTP is spoken", "declare plain HTTP"},
		"open to everybody": {func(t *testing.T) tokenauth.Config { return at(realRegistry(t, false)) },
			"registry", "asks for no login, and not for a token", "oci-client-auth"},
		"passwords of its own": {func(t *testing.T) tokenauth.Config { return at(realRegistry(t, true)) },
			"registry", "asks for a user name and password, and not for a token", "oci-client-auth"},
		"a website": {func(t *testing.T) tokenauth.Config {
			site := httptest.NewServer(http.FileServerFS(os.DirFS(t.TempDir())))
			t.Cleanup(site.Close)
			return at(site.Listener.Addr().String())
		}, "registry", "doesn't speak the OCI distribution API", "check that the host and port are the registry's"},
		"the token server is elsewhere": {ready(tokenauthtest.GitLab, func(_ *testing.T, _ *tokenauthtest.Server, c *tokenauth.Config) { c.TokenURL = "" }),
			"challenge", "to another host or port than its own, http://localhost:", "token_url: http://localhost:"},
		"token_url has another path": {ready(tokenauthtest.GitLab, func(_ *testing.T, s *tokenauthtest.Server, c *tokenauth.Config) {
			c.TokenURL = strings.Replace(s.TokenURL, "/jwt/auth", "/token", 1)
		}), "challenge", "to another place than token_url names, http://localhost:", "/jwt/auth"},
		"a real registry's token server is elsewhere": {func(t *testing.T) tokenauth.Config {
			s := newServer(t, tokenauthtest.DockerHub)
			address := realtest.FreeAddress(t)
			realtest.Program(t, "docker-registry")
			realtest.TokenRegistry(t, address, "https://auth.example.com/token", s.Service(), s.Issuer(), s.Authority())
			return at(address)
		}, "challenge", "another host or port than its own, https://auth.example.com/token", "token_url: https://auth.example.com/token"},
		"the token server is down": {func(t *testing.T) tokenauth.Config {
			realtest.Program(t, "docker-registry")
			address, closed := realtest.FreeAddress(t), strings.Replace(realtest.ClosedAddress(t), "127.0.0.1", "localhost", 1)
			s := newServer(t, tokenauthtest.DockerHub)
			realtest.TokenRegistry(t, address, "http://"+closed+"/token", s.Service(), s.Issuer(), s.Authority())
			c := at(address)
			c.TokenURL = "http://" + closed + "/token"
			return c
		}, "token_server", "the token server can't be asked: nothing listens", "check host and port"},
		"the token server is a website": {ready(tokenauthtest.GitLab, func(_ *testing.T, s *tokenauthtest.Server, _ *tokenauth.Config) {
			atTokens(s, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = w.Write([]byte("<html>"))
			})
		}), "token_server", "is a web page", "token_url"},
		"the token server redirects": {ready(tokenauthtest.Harbor, func(_ *testing.T, s *tokenauthtest.Server, _ *tokenauth.Config) {
			atTokens(s, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://evil.example.com/token", http.StatusFound)
			})
		}), "token_server", "redirects", "never sent after a redirection"},
		"the token server fails": {ready(tokenauthtest.Quay, func(_ *testing.T, s *tokenauthtest.Server, _ *tokenauth.Config) { status(s, 502)() }),
			"token_server", "it answered 502", "look at its log"},
		"no token server there": {ready(tokenauthtest.Quay, func(_ *testing.T, s *tokenauthtest.Server, _ *tokenauth.Config) { status(s, 404)() }),
			"token_server", "there is no token server", "check the realm"},
		"a wrong password": {ready(tokenauthtest.GitLab, func(_ *testing.T, _ *tokenauthtest.Server, c *tokenauth.Config) {
			c.Password = provider.NewSecret("another-password")
		}), "login", "the token server refuses the login of username: it answered 401", "an access token of GitLab's"},
		"a wrong password at Harbor": {ready(tokenauthtest.Harbor, func(_ *testing.T, _ *tokenauthtest.Server, c *tokenauth.Config) {
			c.Password = provider.NewSecret("another-password")
		}), "push_token", "allows nothing of pull and push", "Harbor answers a wrong one with a token for nothing"},
		"the password's file is gone": {ready(tokenauthtest.Quay, func(t *testing.T, _ *tokenauthtest.Server, c *tokenauth.Config) {
			file := filepath.Join(t.TempDir(), "password")
			require.NoError(t, os.WriteFile(file, []byte(password), 0o600))
			c.Password, c.PasswordFile = provider.Secret{}, file
		}), "login", "password_file: can't be read", ""},
		"GHCR":  {ready(tokenauthtest.GHCR, noChange), "token", "isn't a JWT", "may be good for everything"},
		"Gitea": {ready(tokenauthtest.Gitea, noChange), "token", "has no claim named access", "Gitea's and Forgejo's tokens name a user"},
		"a token for another registry": {ready(tokenauthtest.DockerHub, func(_ *testing.T, s *tokenauthtest.Server, _ *tokenauth.Config) {
			s.Claims(func(claims map[string]any) { claims["aud"] = "other.example.com" })
		}), "token", "is for another registry", "for the asked service alone"},
		"the token server's clock is off": {ready(tokenauthtest.Quay, func(_ *testing.T, s *tokenauthtest.Server, _ *tokenauth.Config) {
			s.Claims(func(claims map[string]any) {
				claims["exp"], claims["nbf"] = time.Now().Add(-time.Minute).Unix(), time.Now().Add(-time.Hour).Unix()
			})
		}), "token", "the token has ended already", "check the clocks"},
		"tokens are too short": {ready(tokenauthtest.ACR, func(_ *testing.T, s *tokenauthtest.Server, _ *tokenauth.Config) {
			s.Claims(func(claims map[string]any) { claims["exp"] = time.Now().Add(time.Minute).Unix() })
		}), "lifetime", "which is short", "15 minutes or more"},
		"a robot that may delete":        {rights(tokenauthtest.Harbor, []string{"pull", "push", "delete"}, []string{"pull"}), "push_token", "allows * too", "no Delete"},
		"a token that can only read":     {rights(tokenauthtest.GitLab, []string{"pull"}, []string{"pull"}), "push_token", "doesn't allow push", "write_registry"},
		"no rights at the namespace":     {rights(tokenauthtest.DockerHub, nil, []string{"pull"}), "push_token", "allows nothing", "Read & Write"},
		"a pull login that can push":     {rights(tokenauthtest.ACR, both, both), "pull_login", "asked for push with pull_username, the token allows push too", "take all rights but pull"},
		"a pull login that lists pushes": {rights(tokenauthtest.Harbor, both, both), "pull_token", "allows push too", "set pull_username to a robot"},
		"a wrong pull password": {ready(tokenauthtest.Quay, func(_ *testing.T, _ *tokenauthtest.Server, c *tokenauth.Config) {
			c.PullPassword = provider.NewSecret("another-password")
		}), "pull_token", "refuses the login of pull_username", "a robot's whole name"},
		"a registry that trusts another": {ready(tokenauthtest.Harbor, func(t *testing.T, s *tokenauthtest.Server, _ *tokenauth.Config) {
			realtest.Program(t, "docker-registry")
			address := realtest.FreeAddress(t)
			realtest.TokenRegistry(t, address, s.TokenURL, s.Service(), s.Issuer(), newServer(t, tokenauthtest.Harbor).Authority())
			s.Proxy(address)
		}), "takes_token", "the registry refuses the token of its own token server", "rootcertbundle"},
		"a registry that trusts another issuer": {ready(tokenauthtest.Quay, func(t *testing.T, s *tokenauthtest.Server, _ *tokenauth.Config) {
			realtest.Program(t, "docker-registry")
			address := realtest.FreeAddress(t)
			realtest.TokenRegistry(t, address, s.TokenURL, s.Service(), "another", s.Authority())
			s.Proxy(address)
		}), "takes_token", "the registry refuses the token of its own token server", "its issuer"},
		"a registry that makes no repositories": {ready(tokenauthtest.ACR, func(_ *testing.T, s *tokenauthtest.Server, _ *tokenauth.Config) {
			s.Wrap(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/blobs/uploads/") {
						w.WriteHeader(http.StatusNotFound)
						return
					}
					next.ServeHTTP(w, r)
				})
			})
		}), "push_access", "the registry makes none by itself", "make the repository there"},
		"a registry that is read-only": {ready(tokenauthtest.ACR, func(_ *testing.T, s *tokenauthtest.Server, _ *tokenauth.Config) {
			s.Wrap(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost {
						w.WriteHeader(http.StatusMethodNotAllowed)
						return
					}
					next.ServeHTTP(w, r)
				})
			})
		}), "push_access", "is read-only", "maintenance"},
	} {
		t.Run(strings.ReplaceAll(name, ",", ""), func(t *testing.T) {
			t.Parallel()
			c := test.config(t)
			p := newProvider(t, c)
			if c.PasswordFile != "" {
				require.NoError(t, os.Remove(c.PasswordFile))
			}
			findings, err := diagnosis.Of(t.Context(), p, diagnosis.Options{Project: "hello", WriteProbe: true})
			require.NoError(t, err)
			var list []diagnosis.Finding
			for f := range findings {
				list = append(list, f)
			}
			text, err := json.Marshal(list)
			require.NoError(t, err)
			clean(t, string(text))
			for _, f := range list {
				if f.Status == diagnosis.Failed || f.Status == diagnosis.Warned {
					require.Equal(t, test.check, f.Check, summary(list))
					require.Contains(t, f.Summary, test.summary)
					require.Contains(t, f.Remedy, test.remedy)
					return
				}
			}
			t.Fatalf("nothing is found:\n%s", summary(list))
		})
	}
}

func noChange(*testing.T, *tokenauthtest.Server, *tokenauth.Config) {}

// Without a pull login, clusters get nothing: that is said. A repository that isn't there may be made by a push.
func TestDiagnosisOfWhatIsMissing(t *testing.T) {
	t.Parallel()
	c := configFor(newServer(t, tokenauthtest.GitLab))
	c.PullUsername, c.PullPassword = "", provider.Secret{}
	list := diagnose(t, c, diagnosis.Options{Project: "hello"})
	text := summary(list)
	require.Contains(t, text, "pull_login skipped: there is no pull_username: clusters get no credentials")
	require.Contains(t, text, "repository warned: rise-apps/hello isn't there: most registries make it at the first push")
}
