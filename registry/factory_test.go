package registry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// custom is a third party's provider.
type custom struct{ section customSection }

type customSection struct {
	Host  string          `yaml:"host"`
	Token provider.Secret `yaml:"token"`
	Limit int             `yaml:"limit"`
}

func (s customSection) Validate() error {
	if s.Host == "" {
		return provider.NewConfigError("host", "is required")
	}
	return nil
}

func (c *custom) Repository(project string, _ provider.Consumer) (name.Repository, error) {
	if err := provider.ValidateProject(project); err != nil {
		return name.Repository{}, err
	}
	return name.NewRepository(c.section.Host + "/" + project)
}

func (c *custom) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	return provider.Credentials{}, errors.Join(r.Validate(), provider.ErrUnsupported)
}

func customBuilder() provider.Builder {
	return provider.NewBuilder("custom", func() customSection { return customSection{Limit: 3} },
		func(_ context.Context, s customSection) (*custom, error) { return &custom{s}, nil })
}

type config struct {
	Listen   string          `yaml:"listen"`
	Registry registry.Config `yaml:"registry"`
}

func factory(t *testing.T) *registry.Factory {
	t.Helper()
	f, err := registry.NewFactory(ecr.Builder(), oci.ClientAuthBuilder(), customBuilder())
	require.NoError(t, err)
	return f
}

func load(t *testing.T, f *registry.Factory, files map[string]string) (config, error) {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	c := config{Registry: f.Config()}
	err := configload.Loader{FS: fsys, LookupEnv: func(string) (string, bool) { return "", false }}.Load(&c)
	return c, err
}

const ecrFile = `
registry:
  type: ecr
  region: eu-west-1
  account_id: "123456789012"
  push_role_arn: arn:aws:iam::123456789012:role/rise-backend-ecr-push
`

func TestFactoryBuilds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		want  string // hello's repository
		typ   string
	}{
		"ecr":    {map[string]string{"development.yaml": ecrFile}, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rise/hello", "ecr"},
		"oci":    {map[string]string{"development.yaml": "registry: {type: oci-client-auth, registry_url: localhost:5000}"}, "localhost:5000/hello", "oci-client-auth"},
		"custom": {map[string]string{"development.yaml": "registry: {type: custom, host: r.example.com}"}, "r.example.com/hello", "*registry_test.custom"},
		"the type switched": {map[string]string{
			"development.yaml": ecrFile, "local.yaml": "registry: {type: oci-client-auth, registry_url: localhost:5000}",
		}, "localhost:5000/hello", "oci-client-auth"},
		"a key overridden": {map[string]string{"development.yaml": ecrFile, "local.yaml": "registry: {repo_prefix: mine/}"}, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine/hello", "ecr"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := factory(t)
			c, err := load(t, f, test.files)
			require.NoError(t, err)
			p, err := f.Build(t.Context(), c.Registry)
			require.NoError(t, err)
			repository, err := p.Repository("hello", provider.Client)
			require.NoError(t, err)
			require.Equal(t, test.want, repository.String())
			require.Equal(t, test.typ, provider.TypeOf(p))
			require.NoError(t, provider.Close(p))
		})
	}
}

func TestConfigurationErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, want string }{
		"no section":   {"listen: x", "registry.type: is required: one of custom, ecr, oci-client-auth"},
		"no type":      {"registry:\n  region: x", "development.yaml:1: registry.type: is required: one of custom, ecr, oci-client-auth"},
		"unknown type": {"registry:\n  type: ec2", `development.yaml:2: registry.type: unknown type "ec2"; known types are custom, ecr, oci-client-auth`},
		"unknown key": {
			"registry:\n  type: oci-client-auth\n  registry_url: localhost:5000\n  namespce: x",
			`development.yaml:4: registry.namespce: unknown key; did you mean "namespace"?`,
		},
		"another type's key": {
			"registry:\n  type: custom\n  host: r.example.com\n  region: eu-west-1",
			"development.yaml:4: registry.region: unknown key; the known ones are type, cache, host, token, limit",
		},
		"a third party's rule": {"registry:\n  type: custom\n  limit: 4", "development.yaml:1: registry.host: is required"},
		"a third party's type": {"registry:\n  type: custom\n  host: r\n  limit: many", "development.yaml:4: registry.limit: must be a whole number, in decimal digits without leading zeros"},
		"a third party's secret": {
			"registry:\n  type: custom\n  limit: 4\n  token: $TOKEN",
			"development.yaml:1: registry.host: is required\n" +
				"development.yaml:4: registry.token: is the name of a variable instead of its value; write ${NAME}, and set the variable to the value itself",
		},
		"the name of a variable escapes nothing": {
			"registry:\n  type: custom\n  host: r\n  token: $$TOKEN",
			"development.yaml:4: registry.token: is the name of a variable instead of its value; write ${NAME}, and set the variable to the value itself",
		},
		"a secret in a block": {
			"registry:\n  type: custom\n  host: r\n  token: |\n    hunter2\n",
			"development.yaml:4: registry.token: ends in the end of a line, as the content of a file does; take it off where the value comes from " +
				"(printf instead of echo, |- instead of | in YAML)",
		},
		"cache": {
			"registry:\n  type: custom\n  host: r\n  cache:\n    max_entries: 0\n    min_remaining: -1s\n    max_per_second: -1",
			"development.yaml:5: registry.cache.max_entries: must be at least 1\ndevelopment.yaml:6: registry.cache.min_remaining: must not be negative\n" +
				"development.yaml:7: registry.cache.max_per_second: must not be negative; 0 is no limit",
		},
		"ecr": {
			ecrFile + "  session_duration: 5m\n  access_key_id: AKIA\n  tags: {\"rise:x\": y}",
			"development.yaml:2: registry.secret_access_key: is required with access_key_id: static keys are both or neither\n" +
				"development.yaml:7: registry.session_duration: must be between 15m and 12h\n" +
				`development.yaml:9: registry.tags["rise:x"]: is reserved: keys must not begin with rise: or aws:`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, factory(t), map[string]string{"development.yaml": test.file})
			require.EqualError(t, err, test.want)
		})
	}
}

// The contract's own example, with every value a variable.
func TestAllUnsetVariablesAreReported(t *testing.T) {
	t.Parallel()
	keys := []string{
		"type", "region", "account_id", "push_role_arn", "repo_prefix", "role_arn", "role_external_id", "external_id", "pull_role_arn",
		"access_key_id", "secret_access_key", "session_token", "session_duration", "session_tags", "use_fips", "use_dual_stack",
		"registry_host", "insecure", "cache.enabled", "cache.min_remaining", "cache.max_entries", "cache.max_in_flight", "cache.max_per_second",
		"installation",
		"auto_remove", "remove_after", "image_tag_mutability", "scan_on_push", "kms_key_arn", "max_image_count", "untagged_expire_days",
		"project_ids",
	}
	file, want := "registry:\n", ""
	line := 1
	cache := false
	for i, key := range keys {
		indent, last := "  ", key
		if rest, ok := cutPrefix(key, "cache."); ok {
			if !cache {
				file, cache = file+"  cache:\n", true
				line++
			}
			indent, last = "    ", rest
		}
		line++
		file += fmt.Sprintf("%s%s: \"${V%d}\"\n", indent, last, i)
		if i > 0 {
			want += "\n"
		}
		want += fmt.Sprintf("development.yaml:%d: registry.%s: variable V%d is not set", line, key, i)
	}
	_, err := load(t, factory(t), map[string]string{"development.yaml": file})
	require.EqualError(t, err, want)

	set := map[string]string{
		"V0": "ecr", "V1": "eu-west-1", "V2": "123456789012", "V3": "arn:aws:iam::123456789012:role/p", "V12": "45m", "V13": "true",
		"V14": "false", "V15": "false", "V17": "false", "V18": "true", "V19": "5m", "V20": "10", "V21": "2", "V22": "50", "V24": "true", "V25": "0s", "V27": "false",
		"V29": "12", "V30": "7", "V31": "true",
	}
	f := factory(t)
	c := config{Registry: f.Config()}
	err = configload.Loader{
		FS:        fstest.MapFS{"development.yaml": &fstest.MapFile{Data: []byte(file)}},
		LookupEnv: func(name string) (string, bool) { return set[name], true },
	}.Load(&c)
	require.NoError(t, err)
	section, ok := c.Registry.Section().(*ecr.Config)
	require.True(t, ok)
	require.Equal(t, "123456789012", section.AccountID)
	require.Equal(t, "rise/", section.RepoPrefix, "an empty text leaves the default")
	require.Equal(t, 50, *c.Registry.Cache.MaxPerSecond)
	require.Equal(t, 12, section.MaxImageCount)
	require.False(t, *section.ScanOnPush)
	require.True(t, section.ProjectIDs)
	require.Zero(t, *section.RemoveAfter)
	require.Equal(t, 2, *c.Registry.Cache.MaxInFlight)
	_, err = f.Build(t.Context(), c.Registry)
	require.NoError(t, err)
}

func cutPrefix(s, prefix string) (string, bool) {
	if len(s) > len(prefix) && s[:len(prefix)] == prefix {
		return s[len(prefix):], true
	}
	return s, false
}

func TestNewFactory(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		builders []provider.Builder
		want     string
	}{
		"none":     {nil, "there are no builders"},
		"zero":     {[]provider.Builder{{}}, `builder of type "" can't build`},
		"twice":    {[]provider.Builder{customBuilder(), customBuilder()}, `two builders have the type "custom"`},
		"odd type": {[]provider.Builder{provider.NewBuilder("My Type", nil, func(context.Context, customSection) (*custom, error) { return nil, nil })}, `type "My Type" must be lower-case`},
		"pointer": {[]provider.Builder{provider.NewBuilder("p", nil, func(context.Context, *customSection) (*custom, error) { return nil, nil })},
			`type "p": its section must be a struct, not *registry_test.customSection`},
		"map": {[]provider.Builder{provider.NewBuilder("m", nil, func(context.Context, map[string]string) (*custom, error) { return nil, nil })},
			"must be a struct, not map[string]string"},
		"taken key": {[]provider.Builder{provider.NewBuilder("k", nil, func(context.Context, struct {
			Cache bool `yaml:"cache,omitempty"`
		}) (*custom, error) {
			return nil, nil
		})}, `type "k": its section's key "cache" is one that every section has`},
		"everything": {[]provider.Builder{customBuilder(), {}, customBuilder()}, "two builders"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := registry.NewFactory(test.builders...)
			require.ErrorIs(t, err, provider.ErrMisconfigured)
			require.ErrorContains(t, err, test.want)
		})
	}
	require.Equal(t, []string{"custom", "ecr", "oci-client-auth"}, factory(t).Types())
}

func TestBuildWithoutFiles(t *testing.T) {
	t.Parallel()
	f := factory(t)
	c := f.Config()
	require.Nil(t, c.Section())
	_, err := f.Build(t.Context(), c)
	require.ErrorIs(t, err, provider.ErrMisconfigured)
	_, err = f.Build(t.Context(), registry.Config{})
	require.ErrorContains(t, err, "take the section from Factory.Config")
	require.Error(t, (&registry.Config{}).SetConfigType("ecr"))
	require.EqualError(t, c.SetConfigType("x"), `unknown type "x"; known types are custom, ecr, oci-client-auth`)

	require.NoError(t, c.SetConfigType("custom"))
	_, err = f.Build(t.Context(), c)
	require.ErrorIs(t, err, provider.ErrMisconfigured, "a section that nobody filled in")
	section, ok := c.Section().(*customSection)
	require.True(t, ok)
	section.Host = "r.example.com"
	p, err := f.Build(t.Context(), c)
	require.NoError(t, err)
	inner, ok := provider.As[*custom](p)
	require.True(t, ok)
	require.Equal(t, 3, inner.section.Limit, "with the type's defaults")
	_, ok = provider.As[*cache.Cache](p)
	require.True(t, ok, "credentials are reused")
	require.NoError(t, provider.Close(p))

	c.Cache.Enabled = new(false)
	p, err = f.Build(t.Context(), c)
	require.NoError(t, err)
	require.IsType(t, &custom{}, p)

	broken := c
	broken.Cache.MaxEntries = new(0)
	_, err = f.Build(t.Context(), broken)
	require.ErrorIs(t, err, provider.ErrMisconfigured)
	require.ErrorContains(t, err, "cache.max_entries: must be at least 1")

	other, err := registry.NewFactory(oci.ClientAuthBuilder())
	require.NoError(t, err)
	_, err = other.Build(t.Context(), c)
	require.ErrorContains(t, err, `unknown type "custom"`)
}

func TestConfigDoesntPrintSecrets(t *testing.T) {
	t.Parallel()
	f := factory(t)
	c, err := load(t, f, map[string]string{"development.yaml": "registry: {type: custom, host: r.example.com, token: hunter2}"})
	require.NoError(t, err)
	section := c.Registry.Section().(*customSection)
	require.Equal(t, "hunter2", section.Token.Reveal())
	p, err := f.Build(t.Context(), c.Registry)
	require.NoError(t, err)
	inner, ok := provider.As[*custom](p)
	require.True(t, ok)
	for _, v := range []any{c, c.Registry, section, *section, p, inner, *inner} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			require.NotContains(t, fmt.Sprintf(verb, v), "hunter2")
		}
	}
	text, err := configload.Marshal(c)
	require.NoError(t, err)
	require.Contains(t, string(text), "token: '[redacted]'")
}
