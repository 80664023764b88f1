package registry_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
)

const howToFill = "load it with configload, or call SetConfigType and fill in what Section returns"

// Another library than configload doesn't know the section's keys. Whatever it does, the configuration isn't silently empty.
func TestOtherLibraries(t *testing.T) {
	t.Parallel()
	const text = `{"listen": ":1", "registry": {"type": "custom", "host": "r.example.com", "cache": {"enabled": false}}}`
	f := factory(t)
	for name, zero := range map[string]config{"from the factory": {Registry: f.Config()}, "zero": {}} {
		c := zero
		require.ErrorContains(t, json.Unmarshal([]byte(text), &c), howToFill, name)
		_, err := f.Build(t.Context(), c.Registry)
		require.ErrorIs(t, err, provider.ErrMisconfigured, name)
	}
	var pointer struct{ Registry *registry.Config }
	require.ErrorContains(t, json.Unmarshal([]byte(text), &pointer), howToFill)
	for _, nothing := range []string{`{}`, `{"registry": null}`, `{"listen": "x"}`} {
		c := config{Registry: f.Config()}
		require.NoError(t, json.Unmarshal([]byte(nothing), &c))
		_, err := f.Build(t.Context(), c.Registry)
		require.ErrorContains(t, err, "type: is required: one of custom, ecr, oci-client-auth", nothing)
	}

	// The methods that other formats' libraries look for.
	c := f.Config()
	require.ErrorContains(t, any(&c).(interface{ UnmarshalYAML(func(any) error) error }).UnmarshalYAML(nil), howToFill)
	require.ErrorContains(t, any(&c).(interface{ UnmarshalTOML(any) error }).UnmarshalTOML(nil), howToFill)
	require.ErrorContains(t, any(&c).(interface{ UnmarshalMapstructure(any) error }).UnmarshalMapstructure(nil), howToFill)

	// A library that asks nobody sets the exported fields that it knows.
	for name, change := range map[string]func(*registry.Config){
		"no type selected":      func(*registry.Config) {},
		"another type selected": func(c *registry.Config) { require.NoError(t, c.SetConfigType("ecr")) },
	} {
		c := f.Config()
		change(&c)
		reflect.ValueOf(&c).Elem().FieldByName("Type").SetString("custom")
		_, err := f.Build(t.Context(), c)
		require.ErrorIs(t, err, provider.ErrMisconfigured, name)
		require.ErrorContains(t, err, "type: was set by another way than SetConfigType", name)
		require.ErrorContains(t, err, howToFill, name)
	}
	_, err := f.Build(t.Context(), registry.Config{Type: "custom"})
	require.ErrorContains(t, err, howToFill)
}

// go doc shows what can be set.
func TestConfigFieldsShow(t *testing.T) {
	t.Parallel()
	var shown []string
	for f := range reflect.TypeFor[registry.Config]().Fields() {
		require.False(t, f.Anonymous, "go doc doesn't show what is embedded")
		if f.IsExported() {
			shown = append(shown, f.Name+" "+f.Type.String()+" "+f.Tag.Get("yaml"))
		}
	}
	require.Equal(t, []string{"Type string type", "Cache registry.CacheConfig cache"}, shown)
}
