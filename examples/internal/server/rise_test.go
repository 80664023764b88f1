package server_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/server"
	"github.com/rise-deploy/rise-registry-go/examples/internal/service"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// riseClient is what Rise's command line does with one deployment's credentials, and nothing else of it: it asks, logs in, pushes, and asks again once
// two thirds of the life are over, when under 20 minutes remain, or when the answer doesn't say how long it lives.
type riseClient struct {
	base, token, project, deployment string

	own   authn.Authenticator // the client's own login, for answers without one
	clock func() time.Time

	asked  int
	last   riseCredentials
	issued time.Time
}

// riseCredentials are its fields, of which it knows no others; expires_in may be absent.
type riseCredentials struct {
	RegistryURL string  `json:"registry_url"`
	Username    string  `json:"username"`
	Password    string  `json:"password"`
	ExpiresIn   *uint64 `json:"expires_in"`
	AuthMethod  string  `json:"auth_method"`
}

// ask is one request.
func (c *riseClient) ask(t *testing.T) (status int, problem string) {
	t.Helper()
	c.asked++
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+"/api/v1/projects/"+c.project+"/deployments/"+c.deployment+"/registry-credentials", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // read
	var answer struct {
		Credentials *riseCredentials `json:"credentials"`
		Repository  string           `json:"repository"`
		Error       string           `json:"error"`
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	if resp.StatusCode == http.StatusOK {
		require.NotNil(t, answer.Credentials)
		require.Equal(t, c.project, answer.Repository)
		c.last, c.issued = *answer.Credentials, c.clock()
	}
	return resp.StatusCode, answer.Error
}

// stale reports whether it asks again.
func (c *riseClient) stale() bool {
	if c.asked == 0 || c.last.ExpiresIn == nil {
		return true
	}
	life, age := time.Duration(*c.last.ExpiresIn)*time.Second, c.clock().Sub(c.issued)
	return age >= life*2/3 || life-age < 20*time.Minute
}

// login is how it authenticates at the registry.
func (c *riseClient) login(t *testing.T) authn.Authenticator {
	t.Helper()
	switch {
	case c.last.AuthMethod == "registry_token":
		return authn.FromConfig(authn.AuthConfig{RegistryToken: c.last.Password})
	case c.last.AuthMethod != "login_credentials":
		require.Fail(t, "an auth_method that it doesn't know", c.last.AuthMethod)
	case c.last.Username == "" && c.last.Password == "":
		return c.own
	}
	return authn.FromConfig(authn.AuthConfig{Username: c.last.Username, Password: c.last.Password})
}

// push sees to it that the credential is fresh, logs in and pushes a new image.
func (c *riseClient) push(t *testing.T) {
	t.Helper()
	if c.stale() {
		status, problem := c.ask(t)
		require.Equal(t, http.StatusOK, status, problem)
	}
	tag, err := name.NewTag(c.last.RegistryURL+":"+c.deployment, name.StrictValidation)
	require.NoError(t, err)
	image, err := random.Image(100, 1)
	require.NoError(t, err)
	require.NoError(t, remote.Write(tag, image, remote.WithAuth(c.login(t)), remote.WithContext(t.Context())))
	pushed, err := remote.Image(tag, remote.WithAuth(c.login(t)))
	require.NoError(t, err)
	want, err := image.Digest()
	require.NoError(t, err)
	got, err := pushed.Digest()
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// newRiseClient returns one of a running server, with a clock that the test moves.
func newRiseClient(s *running, token, project, deployment string) (c *riseClient, advance func(time.Duration)) {
	now := time.Now()
	return &riseClient{
		base: strings.TrimSuffix(s.url, server.CredentialsPath), token: token, project: project, deployment: deployment, own: authn.Anonymous,
		clock: func() time.Time { return now },
	}, func(d time.Duration) { now = now.Add(d) }
}

// requireRefused checks that the client's login does nothing at another repository of the registry.
func (c *riseClient) requireRefused(t *testing.T, repository string) {
	t.Helper()
	image, err := random.Image(100, 1)
	require.NoError(t, err)
	err = remote.Write(mustTag(t, repository+":v1"), image, remote.WithAuth(c.login(t)))
	var refusal *transport.Error
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, refusal.StatusCode)
}

// With a login: the server that a newcomer starts, which is its registry's token server.
func TestRiseClientLogin(t *testing.T) {
	t.Parallel()
	s, images := startDevelopment(t)
	c, advance := newRiseClient(s, "rise-dev-token", "hello", "20260101-120000")
	c.push(t)
	first := c.last
	require.Equal(t, images+"/hello", first.RegistryURL)
	require.Equal(t, "login_credentials", first.AuthMethod)
	require.NotEmpty(t, first.Username)
	c.requireRefused(t, images+"/other")
	life := time.Duration(*first.ExpiresIn) * time.Second
	require.InDelta(t, time.Hour, life, float64(5*time.Second))

	c.push(t)
	advance(life*2/3 - time.Minute)
	c.push(t)
	require.Equal(t, 1, c.asked, "one credential for all pushes until then")
	advance(time.Minute)
	c.push(t)
	require.Equal(t, 2, c.asked, "two thirds of its life are over")
	require.NotEqual(t, first.Password, c.last.Password, "a new credential")
	require.InDelta(t, time.Hour, time.Duration(*c.last.ExpiresIn)*time.Second, float64(5*time.Second), "with a whole life ahead")
	c.last = first
	tag := mustTag(t, images+"/hello:20260101-120000")
	_, err := remote.Image(tag, remote.WithAuth(c.login(t)))
	require.NoError(t, err, "the first one works on, for what has begun with it")
}

// Who asks for what isn't his, or is over for now, is told so by the status alone.
func TestRiseClientRefused(t *testing.T) {
	t.Parallel()
	list := filepath.Join(t.TempDir(), "suspended")
	require.NoError(t, os.WriteFile(list, []byte("frozen\n"), 0o600))
	s := start(t, tokenServer(t, "server: {listen: '127.0.0.1:0'}\nauth:\n  suspended_file: "+strconv.Quote(list)+`
  tokens:
    - {token: ci-token-of-hello, subject: ci, projects: [hello, frozen], access: push}
    - {token: viewer-token-of-all, subject: viewer, projects: ["*"]}
`))
	for _, test := range []struct {
		token, project string
		status         int
		problem        string
	}{
		{"ci-token-of-hello", "hello", 200, ""},
		{"ci-token-of-hello", "other", 404, "There is no such project, or you have no right to it."},
		{"ci-token-of-hello", "nobodys", 404, "There is no such project, or you have no right to it."},
		{"viewer-token-of-all", "hello", 404, "There is no such project, or you have no right to it."}, // it asks to push
		{"viewer-token-of-all", "frozen", 404, "There is no such project, or you have no right to it."},
		{"ci-token-of-hello", "frozen", 409, "The project doesn't accept this at present."},
		{"guess", "hello", 401, "A valid bearer token is required."},
		{"ci-token-of-hello", "Hello", 400, "Exactly one project is required"},
	} {
		c, _ := newRiseClient(s, test.token, test.project, "20260101-120000")
		status, problem := c.ask(t)
		require.Equal(t, test.status, status, test)
		require.Contains(t, problem, test.problem)
	}
}

// Without a credential (oci-client-auth) there is no expires_in: it asks each time, and pushes with the login that it has.
func TestRiseClientOwnLogin(t *testing.T) {
	t.Parallel()
	images := httptest.NewServer(basicOnly("rise", "own-password", ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))))
	t.Cleanup(images.Close)
	host := images.Listener.Addr().String()
	s := start(t, files(t, map[string]string{"development.yaml": ociConfig(host)}))
	c, _ := newRiseClient(s, "ci-token-of-hello", "hello", "20260101-120000")
	c.own = &authn.Basic{Username: "rise", Password: "own-password"}
	for asked := range 3 {
		c.push(t)
		require.Equal(t, asked+1, c.asked)
	}
	require.Equal(t, riseCredentials{RegistryURL: host + "/rise-apps/hello", AuthMethod: "login_credentials"}, c.last)
	c.own = authn.Anonymous
	c.requireRefused(t, host+"/rise-apps/hello")
}

func basicOnly(username, password string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, ok := r.BasicAuth(); !ok || u != username || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="images"`)
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// bearerConfig is the section of a provider whose credentials are bearer tokens for the registry itself.
type bearerConfig struct {
	Host     string        `yaml:"host"`
	Lifetime time.Duration `yaml:"lifetime"`
}

// bearerTokens is that provider: a token is a project, an access and an end, signed.
type bearerTokens struct {
	bearerConfig
	key []byte
}

func bearerBuilder(key []byte) provider.Builder {
	return provider.NewBuilder("bearer-tokens", nil, func(_ context.Context, c bearerConfig) (*bearerTokens, error) {
		return &bearerTokens{c, key}, nil
	})
}

func (p *bearerTokens) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	if err := provider.ValidateProject(project); err != nil {
		return name.Repository{}, err
	}
	return name.NewRepository(p.Host + "/rise-apps/" + project)
}

func (p *bearerTokens) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	if r.AllProjects || r.Consumer == provider.Cluster {
		return provider.Credentials{}, &provider.Error{Kind: provider.ErrUnsupported, Op: "make token", Project: r.Project}
	}
	repository, err := p.Repository(r.Project, r.Consumer)
	if err != nil {
		return provider.Credentials{}, err
	}
	ends := time.Now().Add(p.Lifetime).Truncate(time.Second)
	text := fmt.Sprintf("%s.%v.%d", r.Project, r.Access, ends.UnixNano())
	return provider.Credentials{
		Target: repository, Access: r.Access, Method: provider.RegistryToken, Password: provider.NewSecret(text + "." + p.sign(text)), ExpiresAt: ends,
	}, nil
}

func (p *bearerTokens) sign(text string) string {
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// bearerOnly is a registry that takes its tokens in a request's Authorization, and nothing else: nobody asks a token server.
func bearerOnly(t *testing.T, p *bearerTokens, next http.Handler) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(status int) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/no-token-server",service="images"`)
			http.Error(w, "refused", status)
		}
		token, _ := endpoint.BearerToken(r)
		parts := strings.Split(token.Reveal(), ".")
		if len(parts) != 4 || !hmac.Equal([]byte(parts[3]), []byte(p.sign(strings.Join(parts[:3], ".")))) {
			refuse(http.StatusUnauthorized)
			return
		}
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		if path := strings.TrimPrefix(r.URL.Path, "/v2/"); path != "" && (!strings.HasPrefix(path, "rise-apps/"+parts[0]+"/") || !reads && parts[1] != "push") {
			refuse(http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// deploymentCaller is a service's caller and what he asks for: the path says more than a request for a credential does.
type deploymentCaller struct{ name, deployment string }

func (c deploymentCaller) Subject() string { return c.name }

// With a registry's own token, in a service that knows deployments: 409 once one takes no more pushes.
func TestRiseClientRegistryToken(t *testing.T) {
	t.Parallel()
	key := []byte("key-of-the-registry")
	signing := &bearerTokens{key: key}
	images := httptest.NewServer(bearerOnly(t, signing, ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))))
	t.Cleanup(images.Close)
	host := images.Listener.Addr().String()

	var over atomic.Value // the deployment that takes no more pushes
	over.Store("none")
	own := service.Own{Callers: service.Callers(
		func(r *http.Request) (deploymentCaller, error) {
			if token, ok := endpoint.BearerToken(r); !ok || token.Reveal() != "token-of-the-cli" {
				return deploymentCaller{}, endpoint.ErrUnauthenticated
			}
			return deploymentCaller{"cli", r.PathValue("deployment")}, nil
		},
		func(_ context.Context, c deploymentCaller, r provider.Request) error {
			switch {
			case r.Project != "hello":
				return provider.ErrNotFound
			case c.deployment == over.Load():
				return provider.ErrConflict
			}
			return nil
		})}
	for _, lifetime := range []string{"90m", "15m"} {
		f, err := registry.NewFactory(bearerBuilder(key))
		require.NoError(t, err)
		s := startFactory(t, f, files(t, map[string]string{"development.yaml": fmt.Sprintf(
			"server: {listen: '127.0.0.1:0', cluster_credentials: true}\nregistry: {type: bearer-tokens, host: %q, lifetime: %s, cache: {min_remaining: 1m}}\n", host, lifetime)}), own, server.Process{})
		c, advance := newRiseClient(s, "token-of-the-cli", "hello", "20260101-120000")
		c.push(t)
		require.Equal(t, host+"/rise-apps/hello", c.last.RegistryURL)
		require.Equal(t, "registry_token", c.last.AuthMethod)
		require.Empty(t, c.last.Username)
		c.requireRefused(t, host+"/rise-apps/other")
		c.push(t)
		if lifetime == "15m" {
			require.Equal(t, 2, c.asked, "under 20 minutes remain from the beginning")
			continue
		}
		advance(59 * time.Minute)
		c.push(t)
		require.Equal(t, 1, c.asked)
		advance(2 * time.Minute) // two thirds of 90 minutes
		c.push(t)
		require.Equal(t, 2, c.asked)

		over.Store("20260101-120000")
		advance(time.Hour)
		require.True(t, c.stale())
		status, problem := c.ask(t)
		require.Equal(t, http.StatusConflict, status)
		require.Equal(t, "The project doesn't accept this at present.", problem)
		other, _ := newRiseClient(s, "token-of-the-cli", "other", "20260101-120000")
		status, _ = other.ask(t)
		require.Equal(t, http.StatusNotFound, status, "of another project's deployments nobody learns more")
		over.Store("none")

		// No kubelet takes such a token: a cluster is told that the service's registry isn't fit for it, in either form.
		for _, query := range []string{clusterQuery, clusterQuery + "&format=dockerconfigjson", "project=hello&access=pull&format=dockerconfigjson"} {
			status, body, _ := s.raw(t, "token-of-the-cli", query)
			require.Equal(t, http.StatusBadGateway, status, query)
			require.NotContains(t, body, ".pull.")
		}
	}
}
