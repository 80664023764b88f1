package oci_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/provider"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		url, namespace string
		insecure       bool
		want           string // hello's repository
		plain          bool   // go-containerregistry may use HTTP
	}{
		{"registry.example.com", "", false, "registry.example.com/hello", false},
		{"registry.example.com:5000", "", false, "registry.example.com:5000/hello", false},
		{"registry.example.com/", "rise-apps", false, "registry.example.com/rise-apps/hello", false},
		{"https://registry.example.com///", "/rise-apps/", false, "registry.example.com/rise-apps/hello", false},
		{"HTTPS://Registry.Example.COM", "a/b_c/d.e/f__g/h--i", false, "registry.example.com/a/b_c/d.e/f__g/h--i/hello", false},
		{"https://registry.example.com:443", "", false, "registry.example.com/hello", false},
		{"https://registry.example.com:8443", "", false, "registry.example.com:8443/hello", false},
		{"https://rise-registry", "", false, "rise-registry:443/hello", false},
		{"rise-registry:5000", "rise-apps", true, "rise-registry:5000/rise-apps/hello", true},
		{"http://rise-registry:5000", "", true, "rise-registry:5000/hello", true},
		{"http://rise-registry", "", true, "rise-registry:80/hello", true},
		{"https://rise-registry:5000", "", true, "rise-registry:5000/hello", false},
		{"localhost:5000", "", false, "localhost:5000/hello", true},
		{"http://localhost:5000/", "", false, "localhost:5000/hello", true},
		{"http://localhost", "", false, "localhost:80/hello", true},
		{"localhost", "", false, "localhost/hello", true},
		{"127.0.0.1:5000", "", false, "127.0.0.1:5000/hello", true},
		{"127.1.2.3:5000", "", false, "127.1.2.3:5000/hello", true},
		{"http://127.1.2.3:5000", "", false, "127.1.2.3:5000/hello", true},
		{"[::1]:5000", "", false, "[::1]:5000/hello", true},
		{"http://[0:0:0:0:0:0:0:1]:5000", "", false, "[::1]:5000/hello", true},
		{"[2001:DB8::1]:5000", "x", false, "[2001:db8::1]:5000/x/hello", false},
		{"docker.io", "acme", false, "index.docker.io/acme/hello", false},
		{"https://index.docker.io/", "acme", false, "index.docker.io/acme/hello", false},
		{"registry-1.docker.io:443", "acme", false, "index.docker.io/acme/hello", false},
	} {
		t.Run(test.url+" "+test.namespace, func(t *testing.T) {
			t.Parallel()
			p, err := oci.NewClientAuth(oci.ClientAuthConfig{RegistryURL: test.url, Namespace: test.namespace, Insecure: test.insecure})
			require.NoError(t, err)
			repository, err := p.Repository("hello", provider.Client)
			require.NoError(t, err)
			require.Equal(t, test.want, repository.String())
			again, err := name.NewRepository(test.want, name.StrictValidation)
			require.NoError(t, err)
			require.Equal(t, repository.String(), again.String(), "clients read the same name")
			require.Equal(t, repository.RegistryStr(), again.RegistryStr())
			scheme := "https"
			if test.plain {
				scheme = "http"
			}
			require.Equal(t, scheme, repository.Scheme())
		})
	}
}

// All that is wrong is said at once.
func TestRefusedAltogether(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "r.example.com:99999"} {
		err := oci.ClientAuthConfig{RegistryURL: url, ClientRegistryURL: "ftp://x", Namespace: "a//b"}.Validate()
		for _, key := range []string{"registry_url", "client_registry_url", "namespace"} {
			require.Contains(t, "\n"+err.Error(), "\n"+key+": ", "%q", url)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config oci.ClientAuthConfig
		want   string
	}{
		"nothing":            {oci.ClientAuthConfig{}, "registry_url: is required"},
		"only a scheme":      {oci.ClientAuthConfig{RegistryURL: "https://"}, "registry_url: has no host"},
		"only slashes":       {oci.ClientAuthConfig{RegistryURL: "//"}, "registry_url: has no host"},
		"another scheme":     {oci.ClientAuthConfig{RegistryURL: "ftp://r.example.com"}, "registry_url: must begin with https://, http:// or the host itself"},
		"docker scheme":      {oci.ClientAuthConfig{RegistryURL: "docker://r.example.com"}, "registry_url: must begin with"},
		"plain http":         {oci.ClientAuthConfig{RegistryURL: "http://r.example.com"}, "registry_url: is plain HTTP and not on loopback"},
		"plain http, LAN":    {oci.ClientAuthConfig{RegistryURL: "http://10.0.0.1:5000"}, "registry_url: is plain HTTP and not on loopback"},
		"a path":             {oci.ClientAuthConfig{RegistryURL: "r.example.com/rise-apps"}, "registry_url: must not have a path: put it into namespace"},
		"a leading slash":    {oci.ClientAuthConfig{RegistryURL: "/r.example.com"}, "registry_url: must not have a path"},
		"a login":            {oci.ClientAuthConfig{RegistryURL: "https://me:hunter2@r.example.com"}, "registry_url: must not hold a login"},
		"a query":            {oci.ClientAuthConfig{RegistryURL: "r.example.com?x"}, "registry_url: must not have a query"},
		"a fragment":         {oci.ClientAuthConfig{RegistryURL: "r.example.com#x"}, "registry_url: must not have a query or a fragment"},
		"a lone name":        {oci.ClientAuthConfig{RegistryURL: "rise-registry"}, "registry_url: must have a dot or a port"},
		"port 0":             {oci.ClientAuthConfig{RegistryURL: "r.example.com:0"}, "registry_url: must have a port between 1 and 65535"},
		"port 99999":         {oci.ClientAuthConfig{RegistryURL: "r.example.com:99999"}, "registry_url: must have a port between 1 and 65535"},
		"port 05000":         {oci.ClientAuthConfig{RegistryURL: "r.example.com:05000"}, "registry_url: must have a port between 1 and 65535"},
		"no port":            {oci.ClientAuthConfig{RegistryURL: "r.example.com:"}, "registry_url: has a colon but no port"},
		"a named port":       {oci.ClientAuthConfig{RegistryURL: "r.example.com:https"}, "registry_url: must have a host name"},
		"scheme and port":    {oci.ClientAuthConfig{RegistryURL: "http://r.example.com:443", Insecure: true}, "registry_url: has scheme http with port 443"},
		"port and scheme":    {oci.ClientAuthConfig{RegistryURL: "https://r.example.com:80"}, "registry_url: has scheme https with port 80"},
		"an underscore":      {oci.ClientAuthConfig{RegistryURL: "my_registry:5000"}, "registry_url: must have a host name"},
		"a space":            {oci.ClientAuthConfig{RegistryURL: " r.example.com"}, "registry_url: must have a host name"},
		"a line":             {oci.ClientAuthConfig{RegistryURL: "r.example.com\n"}, "registry_url: must have a host name"},
		"not ascii":          {oci.ClientAuthConfig{RegistryURL: "régistry.example.com"}, "registry_url: must have a host name"},
		"escapes":            {oci.ClientAuthConfig{RegistryURL: "r%2eexample.com"}, "registry_url: must have a host name"},
		"two dots":           {oci.ClientAuthConfig{RegistryURL: "r..example.com"}, "registry_url: must have a host name"},
		"IPv6 bare":          {oci.ClientAuthConfig{RegistryURL: "::1"}, "registry_url: must have a host or host:port, with an IPv6 address in brackets"},
		"IPv6 zone":          {oci.ClientAuthConfig{RegistryURL: "[fe80::1%25eth0]:5000"}, "registry_url: must have"},
		"IPv4 in brackets":   {oci.ClientAuthConfig{RegistryURL: "[127.0.0.1]:5000"}, "registry_url: must have"},
		"IPv4 of five":       {oci.ClientAuthConfig{RegistryURL: "1.2.3.4.5:5000"}, "registry_url: must have an IPv4 address of four numbers"},
		"IPv4 too large":     {oci.ClientAuthConfig{RegistryURL: "127.0.0.256:5000"}, "registry_url: must have an IPv4 address of four numbers"},
		"the hub's site":     {oci.ClientAuthConfig{RegistryURL: "hub.docker.com", Namespace: "acme"}, "registry_url: is Docker Hub's website"},
		"the hub's port":     {oci.ClientAuthConfig{RegistryURL: "docker.io:5000", Namespace: "acme"}, "registry_url: must be just docker.io"},
		"the hub, plainly":   {oci.ClientAuthConfig{RegistryURL: "http://docker.io", Namespace: "acme", Insecure: true}, "registry_url: must be just docker.io"},
		"the hub's own":      {oci.ClientAuthConfig{RegistryURL: "docker.io"}, "namespace: must be one name on Docker Hub"},
		"the hub is flat":    {oci.ClientAuthConfig{RegistryURL: "docker.io", Namespace: "a/b"}, "namespace: must be one name on Docker Hub"},
		"client url":         {oci.ClientAuthConfig{RegistryURL: "localhost:5000", ClientRegistryURL: "http://r.example.com"}, "client_registry_url: is plain HTTP"},
		"namespace upwards":  {oci.ClientAuthConfig{RegistryURL: "localhost:5000", Namespace: "a/../b"}, "namespace: must be parts of"},
		"namespace, slashes": {oci.ClientAuthConfig{RegistryURL: "localhost:5000", Namespace: "a//b"}, "namespace: must be parts of"},
		"namespace, case":    {oci.ClientAuthConfig{RegistryURL: "localhost:5000", Namespace: "Apps"}, "namespace: must be parts of"},
		"namespace, dash":    {oci.ClientAuthConfig{RegistryURL: "localhost:5000", Namespace: "-a"}, "namespace: must be parts of"},
		"namespace, tag":     {oci.ClientAuthConfig{RegistryURL: "localhost:5000", Namespace: "a:b"}, "namespace: must be parts of"},
		"namespace, long":    {oci.ClientAuthConfig{RegistryURL: "localhost:5000", Namespace: strings.Repeat("a", 180)}, "namespace: is too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := oci.NewClientAuth(test.config)
			require.ErrorIs(t, err, provider.ErrMisconfigured)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "hunter2")
			require.ErrorContains(t, test.config.Validate(), test.want)
		})
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	p, err := oci.NewClientAuth(oci.ClientAuthConfig{RegistryURL: "rise-registry:5000", ClientRegistryURL: "localhost:5000", Namespace: "rise-apps"})
	require.NoError(t, err)
	require.Equal(t, "oci-client-auth", provider.TypeOf(p))
	for consumer, want := range map[provider.Consumer]string{provider.Client: "localhost:5000", provider.Cluster: "rise-registry:5000"} {
		for _, access := range []provider.Access{provider.Pull, provider.Push} {
			c, err := provider.Issue(t.Context(), p, provider.Request{Project: "hello", Access: access, Consumer: consumer})
			require.NoError(t, err)
			require.Equal(t, want+"/rise-apps/hello", c.Target.String())
			require.Equal(t, provider.ClientLogin, c.Method)
			require.Equal(t, access, c.Access)
			require.Empty(t, c.Username)
			require.True(t, c.Password.IsZero())
			require.Zero(t, c.ExpiresAt)
		}
		c, err := provider.Issue(t.Context(), p, provider.Request{AllProjects: true, Access: provider.Pull, Consumer: consumer})
		require.NoError(t, err)
		require.Equal(t, want, c.Target.String())
	}

	for _, r := range []provider.Request{{}, {Project: "hello"}, {Project: "a/b", Access: provider.Pull}, {Project: "hello", Access: provider.Pull, Consumer: 5}} {
		_, err := p.Credentials(t.Context(), r)
		require.ErrorIs(t, err, provider.ErrInvalidRequest)
	}
	_, err = p.Repository("../b", provider.Client)
	require.ErrorIs(t, err, provider.ErrInvalidRequest)
	_, err = p.Repository("hello", 5)
	require.ErrorIs(t, err, provider.ErrInvalidRequest)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Credentials(ctx, provider.Request{Project: "hello", Access: provider.Pull})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, provider.ErrTimeout)
}

// FuzzRegistryURL: what is accepted is a name that clients read as the same host, and that holds nothing but a host.
func FuzzRegistryURL(f *testing.F) {
	for _, seed := range []string{"registry.example.com", "https://a.b:443/", "[::1]:5000", "docker.io", "http://localhost", "a//b", "u:p@h", "127.0.0.1"} {
		f.Add(seed, "rise-apps", true)
		f.Add(seed, "/a/b/", false)
	}
	f.Fuzz(func(t *testing.T, url, namespace string, insecure bool) {
		p, err := oci.NewClientAuth(oci.ClientAuthConfig{RegistryURL: url, Namespace: namespace, Insecure: insecure})
		if err != nil {
			require.ErrorIs(t, err, provider.ErrMisconfigured)
			return
		}
		repository, err := p.Repository("hello", provider.Client)
		require.NoError(t, err)
		again, err := name.NewRepository(repository.String(), name.StrictValidation)
		require.NoError(t, err)
		require.Equal(t, repository.RegistryStr(), again.RegistryStr())
		require.Equal(t, repository.RepositoryStr(), again.RepositoryStr())
		require.True(t, strings.HasSuffix(repository.String(), "/hello"))
		require.NotContains(t, repository.String(), "//")
		require.LessOrEqual(t, len(repository.String()), 255)
	})
}

func Example() {
	p, err := oci.NewClientAuth(oci.ClientAuthConfig{
		RegistryURL:       "rise-registry:5000", // as the cluster reaches it
		ClientRegistryURL: "localhost:5000",     // as a developer's docker does
		Namespace:         "rise-apps",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, consumer := range []provider.Consumer{provider.Client, provider.Cluster} {
		fmt.Println(p.Repository("hello", consumer))
	}
	c, err := provider.Issue(context.Background(), p, provider.Request{Project: "hello", Access: provider.Push})
	fmt.Println(c.Method, err)
	// Output:
	// localhost:5000/rise-apps/hello <nil>
	// rise-registry:5000/rise-apps/hello <nil>
	// client_login <nil>
}

// Whatever prints a provider doesn't come to what all of the program shares, such as http.DefaultTransport, which is changed meanwhile.
func TestPrintsWithoutTransport(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]oci.Option{"default": nil, "own": {oci.WithTransport(&http.Transport{}), oci.WithKeychain(authn.NewMultiKeychain())}} {
		p, err := oci.NewClientAuth(oci.ClientAuthConfig{RegistryURL: "registry.example.com"}, opts...)
		require.NoError(t, err)
		var said said
		require.False(t, assert.Equal(&said, &oci.ClientAuth{}, p)) // testify walks pointers, too
		for _, text := range []string{said.String(), fmt.Sprintf("%+v", p), fmt.Sprintf("%+v", *p), fmt.Sprintf("%#v", p)} {
			require.Contains(t, text, "registry.example.com", name)
			for _, shared := range []string{"http.Transport", "RoundTripper", "Keychain", "idleConn"} {
				require.NotContains(t, text, shared, name)
			}
		}
	}
}

// said is what a failing test would say.
type said struct{ strings.Builder }

func (s *said) Errorf(format string, args ...any) { _, _ = fmt.Fprintf(s, format, args...) }
