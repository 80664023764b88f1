package tokenissuer_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// serveToken serves p's /token and returns its realm.
func serveToken(t *testing.T, p *tokenissuer.Provider, good tokenissuer.StillGood, login tokenissuer.Login, opts ...tokenissuer.HandlerOption) string {
	t.Helper()
	server := httptest.NewServer(p.Handler(good, login, opts...))
	t.Cleanup(server.Close)
	// go-containerregistry sends no login to an address on loopback that isn't the registry's.
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/token"
}

// A real registry takes the tokens, and go-containerregistry gets them by itself: for the grant's project alone.
func TestRealRegistry(t *testing.T) {
	t.Parallel()
	realtest.Program(t, "docker-registry")
	address, s := realtest.FreeAddress(t), newSigning(t)
	p := newProvider(t, tokenissuer.Config{RegistryURL: address, Namespace: "rise-apps", SharedRepositories: []string{"base"}}, s)
	x := &exchanges{}
	realtest.TokenRegistry(t, address, serveToken(t, p, allGood, nil, x.option()), address, "rise", s.authorityPEM)

	write := func(tag name.Tag, opts ...remote.Option) error {
		image, err := random.Image(1024, 2) // what is there already isn't pushed
		require.NoError(t, err)
		return remote.Write(tag, image, opts...)
	}
	login := func(r provider.Request) remote.Option {
		c, err := provider.Issue(t.Context(), p, r)
		require.NoError(t, err)
		auth, err := c.Authenticator()
		require.NoError(t, err)
		return remote.WithAuth(auth)
	}
	tag := func(repository string) name.Tag {
		parsed, err := name.NewTag(address + "/" + repository + ":v1")
		require.NoError(t, err)
		return parsed
	}
	hello, other := login(push("hello")), login(push("other"))
	require.NoError(t, write(tag("rise-apps/hello"), hello))
	_, err := remote.Image(tag("rise-apps/hello"), hello)
	require.NoError(t, err)
	require.Equal(t, "alice", x.last().Subject)

	for what, err := range map[string]error{
		"push another":     write(tag("rise-apps/other"), hello),
		"push elsewhere":   write(tag("hello"), hello),
		"push below":       write(tag("rise-apps/hello/web"), hello),
		"push shared":      write(tag("base"), hello),
		"push anonymously": write(tag("rise-apps/hello")),
		"push to pull":     write(tag("rise-apps/hello"), login(provider.Request{Project: "hello", Access: provider.Pull})),
		"push to all": write(tag("rise-apps/hello"),
			login(provider.Request{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster})),
		"pull another": func() error { _, err := remote.Image(tag("rise-apps/hello"), other); return err }(),
		"delete":       remote.Delete(tag("rise-apps/hello"), hello),
		"list":         func() error { _, err := remote.List(tag("rise-apps/hello").Context(), other); return err }(),
		"catalog":      func() error { _, err := remote.Catalog(t.Context(), tag("x").Registry, hello); return err }(),
	} {
		var refused *transport.Error
		require.ErrorAs(t, err, &refused, what)
		require.Contains(t, []int{401, 403}, refused.StatusCode, what)
	}
	err = write(tag("rise-apps/other"), hello)
	require.ErrorContains(t, err, "This credential is good for pushing to and pulling from rise-apps/hello, and not for what was asked for.")

	for _, r := range []provider.Request{
		{Project: "hello", Access: provider.Pull},
		{Project: "hello", Access: provider.Pull, Consumer: provider.Cluster},
		{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster},
	} {
		_, err = remote.Image(tag("rise-apps/hello"), login(r))
		require.NoError(t, err)
	}
}
