package configload_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	rise "github.com/rise-deploy/rise-registry-go/oci"
	section "github.com/rise-deploy/rise-registry-go/registry"
)

// A YAML library that fills a service's struct by itself doesn't leave the registry section empty: it fails, and says how to fill it.
func TestSectionFilledByTheYAMLLibrary(t *testing.T) {
	t.Parallel()
	factory, err := section.NewFactory(rise.ClientAuthBuilder())
	require.NoError(t, err)
	c := struct {
		Registry section.Config `yaml:"registry"`
	}{factory.Config()}
	err = yaml.Unmarshal([]byte("registry: {type: oci-client-auth, registry_url: localhost:5000}"), &c)
	require.ErrorContains(t, err, "load it with configload, or call SetConfigType and fill in what Section returns")
	require.Nil(t, c.Registry.Section())

	require.NoError(t, load(dev("registry: {type: oci-client-auth, registry_url: localhost:5000}"), nil, &c))
	require.Equal(t, &rise.ClientAuthConfig{RegistryURL: "localhost:5000"}, c.Registry.Section())
}
