package tokenissuer_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// What a tenant may run is what the project's tokens pull.
func TestCheckImage(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	build := func(below bool) provider.Provider {
		return newProvider(t, tokenissuer.Config{
			RegistryURL: "rise-registry:5000", ClientRegistryURL: host, Namespace: "rise-apps", Insecure: true,
			SubRepositories: below, SharedRepositories: []string{"base", "mirror/*"},
		}, s)
	}
	for repository, want := range map[string]struct{ alone, below provider.Kind }{
		"rise-apps/hello":       {},
		"rise-apps/hello/web":   {provider.ErrNotFound, ""},
		"rise-apps/hello/a/b":   {provider.ErrNotFound, ""},
		"rise-apps/hello-2":     {provider.ErrNotFound, provider.ErrNotFound},
		"rise-apps/hello-2/web": {provider.ErrNotFound, provider.ErrNotFound},
		"rise-apps/other":       {provider.ErrNotFound, provider.ErrNotFound},
		"rise-apps/other/hello": {provider.ErrNotFound, provider.ErrNotFound},
		"rise-apps":             {provider.ErrNotFound, provider.ErrNotFound},
		"hello":                 {provider.ErrNotFound, provider.ErrNotFound},
		"base":                  {},
		"base/x":                {provider.ErrNotFound, provider.ErrNotFound},
		"mirror/library/nginx":  {},
		"mirrors/x":             {provider.ErrNotFound, provider.ErrNotFound},
	} {
		for _, host := range []string{host, "Registry.example.com:443", "rise-registry:5000"} {
			for below, want := range map[bool]provider.Kind{false: want.alone, true: want.below} {
				err := provider.CheckImage(build(below), "hello", host+"/"+repository+":v1")
				require.Equal(t, want, provider.KindOf(err), "%s/%s, below: %v: %v", host, repository, below, err)
			}
		}
		require.NoError(t, provider.CheckImage(build(false), "hello", "ghcr.io/"+repository))
	}
}
