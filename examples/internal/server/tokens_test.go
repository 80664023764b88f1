package server_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/server"
	"github.com/rise-deploy/rise-registry-go/examples/internal/service"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// startDevelopment runs the built-in configuration, and returns its registry too.
func startDevelopment(t *testing.T) (s *running, registry string) {
	t.Helper()
	registry = realtest.FreeAddress(t)
	return start(t, configload.Loader{LookupEnv: env(map[string]string{"RISE_LISTEN": "127.0.0.1:0", "RISE_REGISTRY_LISTEN": registry})}), registry
}

// What each client prints for another project than the credential's. The token server's own sentence is shown by those that show it for a 403.
var refusals = map[string]string{
	"docker": goodForHello, "crane": goodForHello, "oras": goodForHello,
	"skopeo": "invalid status code from registry 403 (Forbidden)", "podman": "invalid status code from registry 403 (Forbidden)",
	"buildah": "invalid status code from registry 403 (Forbidden)",
}

const goodForHello = "This credential is good for pushing to and pulling from hello, and not for what was asked for."

// Each client pushes and pulls hello with a credential for it, in the configuration that a newcomer starts, and is refused other. With the token of who
// may have both, it has both.
func TestRealClientsOfDevelopment(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*testing.T) client{
		"docker": dockerClient, "skopeo": skopeoClient, "crane": craneClient, "podman": podmanClient, "buildah": buildahClient, "oras": orasClient,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := begin(t)
			s, registry := startDevelopment(t)
			pushing := s.issue(t, "rise-dev-token")
			require.Equal(t, registry+"/hello", pushing.RegistryURL)
			require.Equal(t, "rise", pushing.Username)
			status, body, pulling := s.ask(t, "rise-dev-token", "project=hello&access=pull")
			require.Equal(t, http.StatusOK, status, body)
			refusedOther := func(out realtest.Output) {
				t.Helper()
				require.Error(t, out.Err, out.Text)
				require.Contains(t, out.Text, refusals[name])
			}

			out := program.push(t, pushing, registry+"/hello:v1")
			require.NoError(t, out.Err, out.Text)
			for _, c := range []credentials{pushing, pulling} {
				out = program.pull(t, c, registry+"/hello:v1")
				require.NoError(t, out.Err, out.Text)
			}
			refusedOther(program.push(t, pushing, registry+"/other:v1"))
			require.Error(t, program.push(t, pulling, registry+"/hello:v2").Err)

			login := credentials{RegistryURL: registry + "/hello", Username: "rise", Password: "rise-dev-token"}
			for _, repository := range []string{"/hello:v3", "/other:v1"} {
				out = program.push(t, login, registry+repository)
				require.NoError(t, out.Err, out.Text)
			}
			refusedOther(program.pull(t, pushing, registry+"/other:v1"))
			out = program.push(t, credentials{RegistryURL: login.RegistryURL, Username: "rise", Password: "not-the-token"}, registry+"/hello:v4")
			require.Error(t, out.Err, out.Text)
			for _, secret := range []string{pushing.Password, pulling.Password, "rise-dev-token"} {
				require.NotContains(t, s.output.String(), secret)
			}
		})
	}
}

// tokenServer is a server of type oci-token-issuer whose registry is somewhere else.
func tokenServer(t *testing.T, sections string) configload.Loader {
	t.Helper()
	return tokenServerAt(t, sections, "registry.example.com", "")
}

// tokenServerAt is one whose registry has these names, for clusters and for clients.
func tokenServerAt(t *testing.T, sections, cluster, client string) configload.Loader {
	t.Helper()
	authority, err := tokenkeys.NewAuthority()
	require.NoError(t, err)
	key, certificate, err := authority.NewSigningKey(time.Hour)
	require.NoError(t, err)
	signing := filepath.Join(t.TempDir(), "signing.pem")
	require.NoError(t, os.WriteFile(signing, slices.Concat(key, certificate), 0o600))
	return files(t, map[string]string{"development.yaml": fmt.Sprintf(`%s
registry: {type: oci-token-issuer, registry_url: %s, client_registry_url: "%s", namespace: rise-apps, signing_key_file: %q, signing_cert_file: %q}
`, sections, cluster, client, signing, signing)})
}

const tokenCallers = `
  tokens:
    - {token: ci-token-of-hello, subject: ci, projects: [hello], access: push, login: true}
    - {token: another-token-of-all, subject: other, projects: ["*"], access: push}
`

// exchange asks /token with a password, and returns the status, the refusal's sentence, and what the token may, as JSON.
func (s *running) exchange(t *testing.T, password string, scopes ...string) (status int, text string) {
	t.Helper()
	status, text, _ = s.exchangeFrom(t, "", password, scopes...)
	return status, text
}

func (s *running) exchangeFrom(t *testing.T, address, password string, scopes ...string) (status int, text string, header http.Header) {
	t.Helper()
	target := strings.TrimSuffix(s.url, server.CredentialsPath) + "/token?" + url.Values{"service": {"registry.example.com"}, "scope": scopes}.Encode()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	require.NoError(t, err)
	if password != "" {
		r.SetBasicAuth("rise", password)
	}
	if address != "" {
		r.Header.Set("X-Forwarded-For", address)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // read
	var answer struct {
		Token  string
		Errors []struct{ Message string }
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, answer.Errors[0].Message, resp.Header
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(answer.Token, ".")[1])
	require.NoError(t, err)
	var claims struct{ Access json.RawMessage }
	require.NoError(t, json.Unmarshal(payload, &claims))
	return resp.StatusCode, string(claims.Access), resp.Header
}

const (
	helloScope = "repository:rise-apps/hello:pull,push"
	otherScope = "repository:rise-apps/other:pull,push"
	helloPush  = `[{"type":"repository","name":"rise-apps/hello","actions":["pull","push"]}]`
)

// A bearer token is a password where it may be one, and is worth what it is at the endpoint.
func TestLogins(t *testing.T) {
	t.Parallel()
	s := start(t, tokenServer(t, "server: {listen: '127.0.0.1:0'}\nauth:"+tokenCallers))
	grant := s.issue(t, "ci-token-of-hello").Password
	for _, tt := range []struct {
		password string
		scopes   []string
		status   int
		want     string
	}{
		{grant, []string{helloScope}, http.StatusOK, helloPush},
		{grant, []string{otherScope}, http.StatusForbidden, "This credential is good for pushing to and pulling from rise-apps/hello, and not for what was asked for."},
		{grant, nil, http.StatusOK, "[]"},
		{"ci-token-of-hello", nil, http.StatusOK, "[]"},
		{"ci-token-of-hello", []string{helloScope, otherScope}, http.StatusOK, helloPush},
		{"ci-token-of-hello", []string{otherScope}, http.StatusForbidden, "You have no right to what was asked for, or there is no such repository."},
		{"another-token-of-all", []string{helloScope}, http.StatusUnauthorized, "The password is neither a credential for a project nor a token that this service takes as one."},
		{"guess", nil, http.StatusUnauthorized, "The password is neither a credential for a project nor a token that this service takes as one."},
		{"", nil, http.StatusUnauthorized, "A user name and a password are required: ask the service for a credential for your project, and log in with it."},
	} {
		status, text := s.exchange(t, tt.password, tt.scopes...)
		require.Equal(t, tt.status, status, tt)
		if strings.HasPrefix(tt.want, "[") {
			require.JSONEq(t, tt.want, text)
		} else {
			require.Equal(t, tt.want, text)
		}
	}
	status, _, _ := s.ask(t, grant, "project=hello")
	require.Equal(t, http.StatusUnauthorized, status, "a grant is nothing at the endpoint")

	log := s.output.String()
	for _, text := range []string{
		`msg="registry token" outcome=issued status=200`, "subject=ci project=hello asked=[repository:rise-apps/hello:pull,push] granted=[repository:rise-apps/hello:pull,push]",
		`msg="registry credentials" outcome=issued status=200 provider=oci-token-issuer`, "subject=ci project=hello access=push login=true",
		"subject=ci project=other access=pull login=true code=not_found",
	} {
		require.Contains(t, log, text)
	}
	require.NotContains(t, log, "-token-of-hello")
	require.NotContains(t, log, grant)
	text := s.scrape(t)
	for _, line := range []string{
		`rise_registry_token_exchanges_total{code="",outcome="issued"} 4`, `rise_registry_token_exchanges_total{code="DENIED",outcome="refused"} 2`,
		`rise_registry_token_exchanges_total{code="UNAUTHORIZED",outcome="refused"} 3`, `rise_registry_token_exchanges_total{code="UNAVAILABLE",outcome="failed"} 0`,
		`rise_registry_token_exchange_duration_seconds_count{outcome="issued"} 4`,
		`rise_registry_requests_total{access="push",code="",consumer="client",outcome="issued",provider="oci-token-issuer"} 1`,
		"rise_registry_signing_keys 1", "rise_registry_signing_keys_problem 0", "rise_registry_signing_certificate_ends_soon 0",
	} {
		require.Contains(t, text, line+"\n")
	}
	require.Regexp(t, `(?m)^rise_registry_signing_certificate_expiry_seconds 3[0-9.e+]+$`, text)
}

// What is suspended gets no credentials, and what was handed out for it gets no tokens: a project, or one grant. It needs no restart.
func TestSuspended(t *testing.T) {
	t.Parallel()
	list := filepath.Join(t.TempDir(), "suspended")
	require.NoError(t, os.WriteFile(list, []byte("gone\n"), 0o600))
	s := start(t, tokenServer(t, "server: {listen: '127.0.0.1:0'}\nauth:\n  suspended_file: "+strconv.Quote(list)+tokenCallers))
	status, body, _ := s.ask(t, "another-token-of-all", "project=gone")
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, body, `"code":"conflict"`)
	status, _, _ = s.ask(t, "ci-token-of-hello", "project=gone")
	require.Equal(t, http.StatusNotFound, status, "who has no right to it isn't told")

	grant := s.issue(t, "ci-token-of-hello").Password
	var id string
	for _, m := range regexp.MustCompile(`details\.grant=([A-Z2-7]+)`).FindAllStringSubmatch(s.output.String(), -1) {
		id = m[1]
	}
	another := s.issue(t, "ci-token-of-hello").Password
	const revoked = "This credential is no longer good: its project is suspended, is gone, or its name is another project's."
	answers := func(password string, want int) func(*assert.CollectT) {
		return func(c *assert.CollectT) {
			status, text := s.exchange(t, password, helloScope)
			assert.Equal(c, want, status)
			if want == http.StatusUnauthorized {
				assert.Equal(c, revoked, text)
			}
		}
	}
	for _, tt := range []struct {
		lines                 string
		grant, another, login int
	}{
		{"", http.StatusOK, http.StatusOK, http.StatusOK},
		{id, http.StatusUnauthorized, http.StatusOK, http.StatusOK},
		{"hello", http.StatusUnauthorized, http.StatusUnauthorized, http.StatusForbidden},
		{"# nothing", http.StatusOK, http.StatusOK, http.StatusOK},
	} {
		require.NoError(t, os.WriteFile(list+".new", []byte(tt.lines+"\n"), 0o600))
		require.NoError(t, os.Rename(list+".new", list))
		for _, one := range []func(*assert.CollectT){
			answers(grant, tt.grant), answers(another, tt.another),
			func(c *assert.CollectT) {
				status, _ := s.exchange(t, "ci-token-of-hello", helloScope)
				assert.Equal(c, tt.login, status)
			},
		} {
			require.EventuallyWithT(t, one, 20*time.Second, 100*time.Millisecond, tt.lines)
		}
	}
	require.Contains(t, s.output.String(), `it is suspended`)
}

// The rate limits count at /token as well. What verifies isn't refused for its address's failures.
func TestTokenRateLimits(t *testing.T) {
	t.Parallel()
	s := start(t, tokenServer(t, guarded+"auth:"+tokenCallers))
	grant := s.issue(t, "ci-token-of-hello").Password // from 127.0.0.1
	for range 3 {
		status, _, _ := s.exchangeFrom(t, "198.51.100.1", "guess")
		require.Equal(t, http.StatusUnauthorized, status)
	}
	status, _, header := s.exchangeFrom(t, "198.51.100.1", "guess")
	require.Equal(t, http.StatusTooManyRequests, status)
	require.NotEmpty(t, header.Get("Retry-After"))
	status, _, _ = s.exchangeFrom(t, "198.51.100.1", "")
	require.Equal(t, http.StatusTooManyRequests, status)
	for range 100 {
		status, _, _ = s.exchangeFrom(t, "198.51.100.1", grant, helloScope)
		require.Equal(t, http.StatusOK, status)
	}
	status, _, header = s.exchangeFrom(t, "198.51.100.2", grant, helloScope)
	require.Equal(t, http.StatusTooManyRequests, status, "one grant, wherever it is")
	require.NotEmpty(t, header.Get("Retry-After"))
	require.Contains(t, s.output.String(), "source_addr=198.51.100.2 grant=")
}

// caller is a program's own, by the name that it says.
type caller string

func (c caller) Subject() string { return string(c) }

// A program with callers and ids of its own has them at the token server too, and its word on what was handed out.
func TestTokensOfAService(t *testing.T) {
	t.Parallel()
	authenticate := func(r *http.Request) (caller, error) {
		token, _ := endpoint.BearerToken(r)
		name, ok := strings.CutPrefix(token.Reveal(), "token-of-")
		if !ok {
			return "", endpoint.ErrUnauthenticated
		}
		return caller(name), nil
	}
	authorize := func(_ context.Context, c caller, r provider.Request) error {
		if r.Project != string(c) {
			return provider.ErrNotFound
		}
		return nil
	}
	var id, problem atomic.Value
	id.Store("id-1")
	problem.Store(error(&provider.Error{Kind: "none"}))
	own := service.Own{
		Callers:  service.Callers(authenticate, authorize),
		Identify: func(context.Context, string) (string, error) { return id.Load().(string), nil },
		StillGood: func(_ context.Context, q tokenissuer.Question) error {
			if err := problem.Load().(error); provider.KindOf(err) != "none" {
				return err
			}
			return nil
		},
	}
	issuer := func(own service.Own) *running {
		list := filepath.Join(t.TempDir(), "suspended")
		require.NoError(t, os.WriteFile(list, []byte("gone\n"), 0o600))
		return startOwn(t, tokenServer(t, "server: {listen: '127.0.0.1:0'}\nauth: {suspended_file: "+strconv.Quote(list)+"}"), own)
	}
	s := issuer(own)
	status, _, _ := s.ask(t, "token-of-gone", "project=gone")
	require.Equal(t, http.StatusConflict, status)
	granted := func() string { return s.issue(t, "token-of-hello").Password }
	grant := granted()
	status, _ = s.exchange(t, grant, helloScope)
	require.Equal(t, http.StatusOK, status)
	status, _ = s.exchange(t, "token-of-hello", helloScope)
	require.Equal(t, http.StatusUnauthorized, status, "no tokens are passwords unless the program says so")

	fresh := granted()
	id.Store("id-2")
	status, _ = s.exchange(t, fresh, helloScope)
	require.Equal(t, http.StatusUnauthorized, status, "of a former owner")
	newer := granted()
	status, _ = s.exchange(t, newer, helloScope)
	require.Equal(t, http.StatusOK, status)
	problem.Store(error(&provider.Error{Kind: provider.ErrNotFound}))
	status, _ = s.exchange(t, granted(), helloScope)
	require.Equal(t, http.StatusUnauthorized, status)
	problem.Store(error(&provider.Error{Kind: provider.ErrUnavailable}))
	status, _ = s.exchange(t, granted(), helloScope)
	require.Equal(t, http.StatusServiceUnavailable, status)

	own.Logins = service.Logins(authenticate, authorize)
	s = issuer(own)
	status, text := s.exchange(t, "token-of-hello", helloScope, otherScope)
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, helloPush, text)
	status, _ = s.exchange(t, "token-of-gone", "repository:rise-apps/gone:pull")
	require.Equal(t, http.StatusForbidden, status)
}
