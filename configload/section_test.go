package configload_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
)

// foreign is what others' sections may be: of another program, with another parser.
const foreign = `
name: &name acme
database: {url: "${UNSET}", url: "${ALSO_UNSET:?of another program}"}
? [a, b]
: c
42: x
extends: [*name, {deep: !custom x}]
cache: {type: "${UNSET_TYPE}"}
<<: {a: b}
`

// Of a service's configuration, the section that is asked for is loaded as strictly as ever, and nothing else is looked at.
func TestSection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, section string
		files         files
		env           env
		region        string
		want          []string
	}{
		{"at the top", "registry", files{"development.yaml": foreign + "registry: {type: ecr, region: \"${REGION}\"}"}, env{"REGION": "eu-west-1"}, "eu-west-1", nil},
		{"in others", "platform.images.registry", files{"development.yaml": foreign + "platform:\n  other: [1, *name]\n  images:\n    x: 1\n    registry: {type: ecr, region: a}"}, nil, "a", nil},
		{"in layers", "platform.registry", files{
			"development.yaml": "platform: {registry: {type: ecr, region: a}}",
			"local.yaml":       foreign + "platform: {x: \"${UNSET}\", registry: {region: b}}"}, nil, "b", nil},
		{"in one layer", "registry", files{"development.yaml": foreign, "local.yaml": "registry: {type: ecr, region: b}"}, nil, "b", nil},
		{"in an optional layer's empty mapping", "registry", files{"development.yaml": "registry: {type: ecr, region: a}", "local.yaml": "registry:"}, nil, "a", nil},
		{"inside it all is strict", "registry", files{"development.yaml": foreign + `
registry:
  type: ecr
  regoin: x
  account_id: "${UNSET}"
  region: [*name]
  region: x
`}, nil, "", []string{
			`development.yaml:13: registry.regoin: unknown key; did you mean "region"?`,
			"development.yaml:14: registry.account_id: variable UNSET is not set",
			"development.yaml:15: registry.region: must be a single value, not a sequence",
			"development.yaml:15: registry.region[0]: aliases (*) are not supported; write the value out, or quote it if it starts with *",
			"development.yaml:16: registry.region: duplicate key, already on line 15",
		}},
		{"its rules are checked, at its keys", "a.registry", files{"development.yaml": "a:\n  registry:\n    type: ecr\n"}, nil, "", []string{
			"development.yaml:2: a.registry.region: is required"}},
		{"left empty", "registry", files{"development.yaml": "x: y\nregistry:\n"}, nil, "", nil},
		{"no section", "registry", files{"development.yaml": "a: b\nregistri: {}\n"}, nil, "", []string{
			`development.yaml: registry: there is no such section; did you mean "registri"?`}},
		{"no section that is near", "registry", files{"development.yaml": foreign, "local.yaml": "x: y"}, nil, "", []string{
			"local.yaml: registry: there is no such section"}},
		{"removed", "registry", files{"development.yaml": "registry: {}", "local.yaml": "registry: ~"}, nil, "", []string{
			"local.yaml: registry: there is no such section"}},
		{"no way there", "platform.registry", files{"development.yaml": "platforms:\n  registry: {}\n"}, nil, "", []string{
			`development.yaml: platform: there is no such mapping, which platform.registry is in; did you mean "platforms"?`}},
		{"none at the end of it", "platform.registry", files{"development.yaml": "a: b\nplatform:\n  registri: {}\n"}, nil, "", []string{
			`development.yaml:2: platform.registry: there is no such section; did you mean "registri"?`}},
		{"a value on the way", "platform.registry", files{"development.yaml": "platform: ${UNSET}\n"}, nil, "", []string{
			"development.yaml:1: platform: must be a mapping, not a single value"}},
		{"a sequence on the way", "platform.registry", files{"development.yaml": "platform: [!x y]\n"}, nil, "", []string{
			"development.yaml:1: platform: must be a mapping, not a sequence"}},
		{"unusable on the way", "platform.registry", files{"development.yaml": "platform: &x {registry: {}}\n"}, nil, "", []string{
			"development.yaml:1: platform: anchors (&) are not supported; remove it, or quote a value that starts with &"}},
		{"a value", "registry", files{"development.yaml": "registry: x"}, nil, "", []string{
			"development.yaml:1: registry: must be a mapping, not a single value"}},
		{"not YAML elsewhere", "registry", files{"development.yaml": "registry: {type: ecr}\nx: 'a\n"}, nil, "", []string{
			"development.yaml:2: not valid YAML: a quote is opened here and never closed"}},
		{"another type around it replaces", "platform.registry", files{
			"development.yaml": "platform: {type: a, registry: {type: ecr, account_id: \"${UNSET}\"}}",
			"local.yaml":       "platform: {type: \"${TYPE}\", registry: {type: ecr, region: b}}"}, env{"TYPE": "b"}, "b", nil},
		{"the same type around it merges", "platform.registry", files{
			"development.yaml": "platform: {type: a, registry: {type: ecr, region: a}}",
			"local.yaml":       "platform: {type: \"${TYPE}\", registry: {account_id: 1}}"}, env{"TYPE": "a"}, "a", nil},
		{"a type that decides nothing", "platform.registry", files{
			"development.yaml": "platform: {type: \"${UNSET}\", registry: {type: ecr, region: a}}"}, nil, "a", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := fstest.MapFS{}
			for name, content := range tt.files {
				m[name] = &fstest.MapFile{Data: []byte(content)}
			}
			var got registry
			require.Equal(t, tt.want, lines(configload.Loader{FS: m, LookupEnv: tt.env.lookup, Section: tt.section}.Load(&got)))
			if len(tt.want) > 0 {
				require.Nil(t, got.part)
				return
			}
			if tt.region != "" {
				require.Equal(t, tt.region, got.part.(*ecr).Region)
			}
		})
	}
}

// Not every text is a path of keys, and it is said before any file is looked for.
func TestSectionPaths(t *testing.T) {
	t.Parallel()
	for _, section := range []string{".", "a.", ".a", "a..b", "a[0]", "a/b", "a b", "ä"} {
		err := configload.Loader{FS: fstest.MapFS{}, LookupEnv: env{}.lookup, Section: section}.Load(&listen{})
		require.Equal(t, []string{"the section must be keys of letters, digits, _ and -, with dots between them, such as registry or platform.registry"}, lines(err), section)
	}
}

// The struct's content is the section's defaults, and a section left empty keeps them.
func TestSectionDefaults(t *testing.T) {
	t.Parallel()
	got := server{Debug: true}
	m := fstest.MapFS{"development.yaml": {Data: []byte("server:\n  # timeout: 5s\n")}}
	require.NoError(t, configload.Loader{FS: m, LookupEnv: env{}.lookup, Section: "server"}.Load(&got))
	require.Equal(t, server{Debug: true}, got)
}
