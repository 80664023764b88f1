package tokenauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth"
	"github.com/rise-deploy/rise-registry-go/provider"
)

func valid() tokenauth.Config {
	return tokenauth.Config{RegistryURL: "registry.gitlab.com", Namespace: "group/apps", TokenURL: "https://gitlab.com/jwt/auth", Username: user, Password: provider.NewSecret(password)}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	azure := tokenauth.AzureConfig{TenantID: tenant, ClientID: clientID, TokenFile: "token"}
	ofAzure := func(change func(*tokenauth.AzureConfig)) func(*tokenauth.Config) {
		return func(c *tokenauth.Config) {
			c.Username, c.Password, c.TokenURL, c.RegistryURL, c.Azure = "", provider.Secret{}, "", "contoso.azurecr.io", azure
			change(&c.Azure)
		}
	}
	for name, test := range map[string]struct {
		change func(c *tokenauth.Config)
		want   string // empty: it is right
	}{
		"right": {func(*tokenauth.Config) {}, ""},
		"Docker Hub": {func(c *tokenauth.Config) {
			c.RegistryURL, c.Namespace, c.TokenURL = "docker.io", "acme", "https://auth.docker.io/token"
		}, ""},
		"a robot of Harbor's":    {func(c *tokenauth.Config) { c.Username, c.TokenURL = "robot$rise", "" }, ""},
		"a pull login":           {func(c *tokenauth.Config) { c.PullUsername, c.PullPasswordFile = pullUser, "file" }, ""},
		"plain HTTP on loopback": {func(c *tokenauth.Config) { c.RegistryURL, c.TokenURL = "localhost:5000", "http://localhost:5001/auth" }, ""},
		"plain HTTP, declared": {func(c *tokenauth.Config) {
			c.RegistryURL, c.TokenURL, c.Insecure = "registry:5000", "http://auth:5001/auth", true
		}, ""},
		"a service":                 {func(c *tokenauth.Config) { c.TokenService = "container_registry" }, ""},
		"Azure":                     {ofAzure(func(*tokenauth.AzureConfig) {}), ""},
		"Azure in another cloud":    {ofAzure(func(a *tokenauth.AzureConfig) { a.AuthorityHost = "https://login.chinacloudapi.cn/" }), ""},
		"Azure, the tenant by name": {ofAzure(func(a *tokenauth.AzureConfig) { a.TenantID = "contoso.onmicrosoft.com" }), ""},

		"no registry":                  {func(c *tokenauth.Config) { c.RegistryURL = "" }, "registry_url: is required"},
		"a login in the registry":      {func(c *tokenauth.Config) { c.RegistryURL = "https://u:hunter2@registry.example.com" }, "registry_url: must not hold a login"},
		"a bad namespace":              {func(c *tokenauth.Config) { c.Namespace = "a//b" }, "namespace: must be parts of"},
		"no login":                     {func(c *tokenauth.Config) { c.Username, c.Password = "", provider.Secret{} }, "username: is required, and password or password_file"},
		"no password":                  {func(c *tokenauth.Config) { c.Password = provider.Secret{} }, "password: is required, or password_file"},
		"two passwords":                {func(c *tokenauth.Config) { c.PasswordFile = "file" }, "password_file: must be empty where password is set"},
		"a colon":                      {func(c *tokenauth.Config) { c.Username = "hunter2:x" }, "username: must be at most 256 characters, none of them a colon"},
		"a line's end in the name":     {func(c *tokenauth.Config) { c.Username = "hunter2\n" }, "username: must be at most 256 characters"},
		"a line's end in the password": {func(c *tokenauth.Config) { c.Password = provider.NewSecret("hunter2\nx") }, "password: must not hold control characters"},
		"a pull password alone":        {func(c *tokenauth.Config) { c.PullPassword = provider.NewSecret("hunter2") }, "pull_username: is required with its password"},
		"a pull user alone":            {func(c *tokenauth.Config) { c.PullUsername = "hunter2" }, "pull_password: is required, or pull_password_file"},
		"the same login twice":         {func(c *tokenauth.Config) { c.PullUsername, c.PullPassword = c.Username, c.Password }, "pull_username: must be another account than username"},
		"a service with quotes":        {func(c *tokenauth.Config) { c.TokenService = `"hunter2"` }, "token_service: must be at most 256 printable"},
		"a relative token URL":         {func(c *tokenauth.Config) { c.TokenURL = "hunter2/jwt/auth" }, "token_url: must be an absolute https URL"},
		"a plain token URL":            {func(c *tokenauth.Config) { c.TokenURL = "http://hunter2.example.com/jwt/auth" }, "token_url: is plain HTTP and not on loopback"},
		"a login in the token URL":     {func(c *tokenauth.Config) { c.TokenURL = "https://hunter2@gitlab.com/jwt/auth" }, "token_url: must not hold a login"},
		"a query in the token URL":     {func(c *tokenauth.Config) { c.TokenURL = "https://gitlab.com/jwt/auth?hunter2" }, "token_url: must not have a query"},
		"a token URL's bad host":       {func(c *tokenauth.Config) { c.TokenURL = "https://git_lab.com/jwt/auth" }, "token_url: must have a host name of letters"},
		"Azure beside a login":         {func(c *tokenauth.Config) { c.Azure, c.TokenURL = azure, "" }, "azure: goes in place of username"},
		"Azure with a token URL": {func(c *tokenauth.Config) {
			c.Azure, c.Username, c.Password = azure, "", provider.Secret{}
		}, "token_url: must be empty with azure"},
		"Azure without a tenant":       {ofAzure(func(a *tokenauth.AzureConfig) { a.TenantID = "" }), "azure.tenant_id: is required"},
		"Azure's tenant with a path":   {ofAzure(func(a *tokenauth.AzureConfig) { a.TenantID = "a/../b" }), "azure.tenant_id: is required"},
		"Azure's tenant of dots":       {ofAzure(func(a *tokenauth.AzureConfig) { a.TenantID = "a..b" }), "azure.tenant_id: is required"},
		"Azure without a client":       {ofAzure(func(a *tokenauth.AzureConfig) { a.ClientID = "rise" }), "azure.client_id: is required"},
		"Azure without a file":         {ofAzure(func(a *tokenauth.AzureConfig) { a.TokenFile = "" }), "azure.token_file: is required"},
		"Azure's authority in plain":   {ofAzure(func(a *tokenauth.AzureConfig) { a.AuthorityHost = "http://login.example.com" }), "azure.authority_host: must be https"},
		"Azure's authority and a path": {ofAzure(func(a *tokenauth.AzureConfig) { a.AuthorityHost = "https://login.example.com/x" }), "azure.authority_host: must be https and a host"},
		"Azure's authority and a user": {ofAzure(func(a *tokenauth.AzureConfig) { a.AuthorityHost = "https://hunter2@login.example.com" }), "azure.authority_host: must be https and a host"},
		"only an authority":            {func(c *tokenauth.Config) { c.Azure.AuthorityHost = "https://login.example.com" }, "azure.client_id: is required"},
	} {
		c := valid()
		test.change(&c)
		err := c.Validate()
		if test.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, provider.ErrMisconfigured, name)
		require.Contains(t, "\n"+err.Error(), "\n"+test.want, name)
		require.NotContains(t, err.Error(), "hunter2", name)
		_, err = tokenauth.New(c)
		require.ErrorIs(t, err, provider.ErrMisconfigured, name)
	}
	err := tokenauth.Config{TokenURL: "x", PullUsername: ":", Azure: tokenauth.AzureConfig{TenantID: "/"}}.Validate() // all at once
	for _, key := range []string{"registry_url", "token_url", "pull_username", "pull_password", "azure.tenant_id", "azure.client_id", "azure.token_file"} {
		require.Contains(t, "\n"+err.Error(), "\n"+key+": ")
	}
}

// Docker Hub is asked by the name that its clients use.
func TestDockerHubsNames(t *testing.T) {
	t.Parallel()
	c := valid()
	c.RegistryURL, c.Namespace, c.TokenURL = "docker.io", "acme", "https://auth.docker.io/token"
	f := newFake(t)
	f.challenge("https://auth.docker.io/token", "registry.docker.io")
	got, err := provider.Issue(t.Context(), newProvider(t, c, f.option()), push("hello"))
	require.NoError(t, err)
	require.Equal(t, "index.docker.io/acme/hello", got.Target.String())
	require.Equal(t, "index.docker.io", f.requests[0].URL.Host)
	require.Equal(t, "service=registry.docker.io&scope=repository%3Aacme%2Fhello%3Apull%2Cpush", f.requests[1].URL.RawQuery)
}

// Whatever prints a provider shows neither its login nor what all of the program shares.
func TestPrintsWithoutSecrets(t *testing.T) {
	t.Parallel()
	c := valid()
	c.PullUsername, c.PullPassword = pullUser, provider.NewSecret(pullPassword)
	p := newProvider(t, c)
	var said said
	require.False(t, assert.Equal(&said, &tokenauth.Provider{}, p)) // testify walks pointers, too
	for _, text := range []string{said.String(), fmt.Sprintf("%+v", p), fmt.Sprintf("%+v", *p), fmt.Sprintf("%#v", p)} {
		require.Contains(t, text, "registry.gitlab.com")
		clean(t, text)
		for _, shared := range []string{"http.Transport", "RoundTripper", "idleConn"} {
			require.NotContains(t, text, shared)
		}
	}
}

// said is what a failing test would say.
type said struct{ strings.Builder }

func (s *said) Errorf(format string, args ...any) { _, _ = fmt.Fprintf(s, format, args...) }
