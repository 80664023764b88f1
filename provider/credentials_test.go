package provider_test

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

var (
	push = provider.Request{Project: "hello", Access: provider.Push}
	pull = provider.Request{Project: "hello", Access: provider.Pull}
	all  = provider.Request{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster}
)

func repository(t *testing.T, text string) name.Repository {
	t.Helper()
	r, err := name.NewRepository(text)
	require.NoError(t, err)
	return r
}

// valid returns credentials that pass for push.
func valid(t *testing.T) provider.Credentials {
	t.Helper()
	return provider.Credentials{
		Target: repository(t, "registry.example.com/rise/hello"), Access: provider.Push, Method: provider.LoginCredentials,
		Username: "AWS", Password: provider.NewSecret(secretText), ExpiresAt: time.Now().Add(time.Hour),
	}
}

// An expiry with a reading of the monotonic clock doesn't outlive the suspension of a machine, while which that clock stands still.
func TestCheckGoesByBothClocks(t *testing.T) {
	t.Parallel()
	c, now := valid(t), time.Now()
	require.NoError(t, c.Check(push, now))
	for name, set := range map[string][2]time.Duration{"suspended": {2 * time.Hour, 0}, "set back": {-2 * time.Hour, 2 * time.Hour}} {
		later := now.Add(set[1])
		// A Time's first word: a bit that says that there are both, 33 of seconds, 30 of nanoseconds.
		*(*uint64)(unsafe.Pointer(&later)) += uint64((set[0]-set[1])/time.Second) << 30
		require.Equal(t, set[0], later.Round(0).Sub(now.Round(0)), name)
		require.Equal(t, set[1], later.Sub(now), name)
		require.ErrorIs(t, c.Check(push, later), provider.ErrBadResponse, name)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, test := range map[string]struct {
		request provider.Request
		change  func(*provider.Credentials)
		problem string // empty: none
	}{
		"as asked":      {push, func(*provider.Credentials) {}, ""},
		"never expires": {push, func(c *provider.Credentials) { c.ExpiresAt = time.Time{} }, ""},
		"pull":          {pull, func(c *provider.Credentials) { c.Access = provider.Pull }, ""},
		"own login": {push, func(c *provider.Credentials) {
			c.Method, c.Username, c.Password = provider.ClientLogin, "", provider.Secret{}
		}, ""},
		"token":         {push, func(c *provider.Credentials) { c.Method, c.Username = provider.RegistryToken, "" }, ""},
		"a flat prefix": {push, func(c *provider.Credentials) { c.Target = repository(t, "registry.example.com/team-hello") }, ""},
		"all projects": {all, func(c *provider.Credentials) {
			c.Access, c.Target = provider.Pull, repository(t, "a.example/x").Registry
		}, ""},
		"no target":      {push, func(c *provider.Credentials) { c.Target = nil }, "it has no target"},
		"another's":      {push, func(c *provider.Credentials) { c.Target = repository(t, "registry.example.com/rise/other") }, "another project's"},
		"a folder's":     {push, func(c *provider.Credentials) { c.Target = repository(t, "registry.example.com/hello/other") }, "another project's"},
		"a longer one's": {push, func(c *provider.Credentials) { c.Target = repository(t, "registry.example.com/rise/hello-b") }, "another project's"},
		"whole registry": {push, func(c *provider.Credentials) { c.Target = repository(t, "a.example/hello").Registry }, "a whole registry, but one project"},
		"one repository": {all, func(c *provider.Credentials) { c.Access = provider.Pull }, "is one repository, but all projects"},
		"zero registry":  {all, func(c *provider.Credentials) { c.Access, c.Target = provider.Pull, name0() }, "neither a registry nor a repository"},
		"too much":       {pull, func(*provider.Credentials) {}, "its access is push, but pull was asked for"},
		"too little":     {push, func(c *provider.Credentials) { c.Access = provider.Pull }, "its access is pull, but push was asked for"},
		"no access":      {push, func(c *provider.Credentials) { c.Access = 0 }, "its access is Access(0)"},
		"no method":      {push, func(c *provider.Credentials) { c.Method = 0 }, "its method Method(0) is unknown"},
		"no user":        {push, func(c *provider.Credentials) { c.Username = "" }, "lacks the user name or the password"},
		"no password":    {push, func(c *provider.Credentials) { c.Password = provider.Secret{} }, "lacks the user name or the password"},
		"colon in user":  {push, func(c *provider.Credentials) { c.Username = "a:b" }, "its user name holds a colon"},
		"line in user":   {push, func(c *provider.Credentials) { c.Username = "a\r\nb" }, "control characters"},
		"line in secret": {push, func(c *provider.Credentials) { c.Password = provider.NewSecret("a\nb") }, "control characters"},
		"login, secret":  {push, func(c *provider.Credentials) { c.Method, c.Username = provider.ClientLogin, "" }, "the client's own login, but carries"},
		"token, user":    {push, func(c *provider.Credentials) { c.Method = provider.RegistryToken }, "it is a token, but"},
		"no token": {push, func(c *provider.Credentials) {
			c.Method, c.Username, c.Password = provider.RegistryToken, "", provider.Secret{}
		}, "it is a token, but"},
		"expired":        {push, func(c *provider.Credentials) { c.ExpiresAt = now.Add(-time.Second) }, "it expired at "},
		"expires at now": {push, func(c *provider.Credentials) { c.ExpiresAt = now }, "it expired at "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := valid(t)
			test.change(&c)
			err := c.Check(test.request, now)
			if test.problem == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, provider.ErrBadResponse)
			require.ErrorContains(t, err, test.problem)
			require.NotContains(t, err.Error(), secretText)
		})
	}
	require.ErrorIs(t, valid(t).Check(provider.Request{}, now), provider.ErrInvalidRequest)
	require.ErrorIs(t, provider.Credentials{}.Check(push, now), provider.ErrBadResponse, "the zero Credentials are none")
}

func name0() authn.Resource { return name.Registry{} }

func TestMethodString(t *testing.T) {
	t.Parallel()
	require.Equal(t, "client_login login_credentials registry_token Method(9)", strings.Join([]string{
		provider.ClientLogin.String(), provider.LoginCredentials.String(), provider.RegistryToken.String(), provider.Method(9).String(),
	}, " "))
}

func TestAuthenticator(t *testing.T) {
	t.Parallel()
	c := valid(t)
	auth, err := c.Authenticator()
	require.NoError(t, err)
	config, err := auth.Authorization()
	require.NoError(t, err)
	require.Equal(t, &authn.AuthConfig{Username: "AWS", Password: secretText}, config)

	c.Method, c.Username = provider.RegistryToken, ""
	auth, err = c.Authenticator()
	require.NoError(t, err)
	config, err = auth.Authorization()
	require.NoError(t, err)
	require.Equal(t, &authn.AuthConfig{RegistryToken: secretText}, config)

	_, err = provider.Credentials{Method: provider.ClientLogin}.Authenticator()
	require.ErrorIs(t, err, provider.ErrUnsupported)
	_, err = provider.Credentials{}.Authenticator()
	require.ErrorIs(t, err, provider.ErrUnsupported)
}

// Whoever leaves out Issue must not end up anonymous: go-containerregistry sends no login where a part of it is empty.
func TestIncomplete(t *testing.T) {
	t.Parallel()
	for name, lacking := range map[string]func(*provider.Credentials){
		"user name": func(c *provider.Credentials) { c.Username = "" },
		"password":  func(c *provider.Credentials) { c.Password = provider.Secret{} },
		"token": func(c *provider.Credentials) {
			c.Method, c.Username, c.Password = provider.RegistryToken, "", provider.Secret{}
		},
	} {
		c := valid(t)
		c.Access = provider.Pull
		lacking(&c)
		_, err := c.Authenticator()
		require.ErrorIs(t, err, provider.ErrBadResponse, name)
		_, err = c.DockerConfig()
		require.ErrorIs(t, err, provider.ErrBadResponse, name)
		if c.Method == provider.LoginCredentials {
			_, err = c.PullSecret()
			require.ErrorIs(t, err, provider.ErrBadResponse, name)
		}
	}
}

func TestDockerConfig(t *testing.T) {
	t.Parallel()
	c := valid(t)
	config, err := c.DockerConfig()
	require.NoError(t, err)
	require.Equal(t, `{"auths":{"registry.example.com":{"auth":"QVdTOnMzY3IzdC1odW50ZXIy"}}}`, string(config))

	c.Target = repository(t, "rise/hello") // Docker Hub
	config, err = c.DockerConfig()
	require.NoError(t, err)
	require.Equal(t, `{"auths":{"https://index.docker.io/v1/":{"auth":"QVdTOnMzY3IzdC1odW50ZXIy"}}}`, string(config))

	c.Method, c.Username, c.Target = provider.RegistryToken, "", repository(t, "localhost:5000/hello")
	config, err = c.DockerConfig()
	require.NoError(t, err)
	require.Equal(t, `{"auths":{"localhost:5000":{"registrytoken":"s3cr3t-hunter2"}}}`, string(config))

	_, err = provider.Credentials{Method: provider.ClientLogin}.DockerConfig()
	require.ErrorIs(t, err, provider.ErrUnsupported)
	_, err = provider.Credentials{Method: provider.LoginCredentials, Username: "u", Password: provider.NewSecret("p")}.DockerConfig()
	require.ErrorIs(t, err, provider.ErrBadResponse, "no target, no host")
}

func TestPullSecret(t *testing.T) {
	t.Parallel()
	c := valid(t)
	_, err := c.PullSecret()
	require.ErrorIs(t, err, provider.ErrUnsupported, "a pull secret never carries push rights")
	require.ErrorContains(t, err, "ask for provider.Pull")

	c.Access = provider.Pull
	secret, err := c.PullSecret()
	require.NoError(t, err)
	require.Equal(t, `{"auths":{"registry.example.com":{"username":"AWS","password":"s3cr3t-hunter2","auth":"QVdTOnMzY3IzdC1odW50ZXIy"}}}`, string(secret))

	c.Method, c.Username = provider.RegistryToken, ""
	_, err = c.PullSecret()
	require.ErrorIs(t, err, provider.ErrUnsupported, "kubelets can't use tokens")
	c.Method, c.Password = provider.ClientLogin, provider.Secret{}
	_, err = c.PullSecret()
	require.ErrorIs(t, err, provider.ErrUnsupported)
}
