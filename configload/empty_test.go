package configload_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
)

// What is left empty in the upper layer changes nothing of the lower, whatever either is.
func TestLeftEmptyChangesNothing(t *testing.T) {
	t.Parallel()
	const base = `
listen: base
server: {debug: true, timeout: 5s, tls: {cert_file: base, key_file: base}}
auth: {tokens: [{subject: a, access: push}]}
labels: {a: base, type: base}
limits: {a: {rate: 1, burst: 2}}
types: {pint: 7, level: high, bool: true, ints: [1], nested: [[1]], pmap: {x: {cert_file: base}}, from_inline: base}
registry: {type: ecr, region: base, cache: {max_entries: 5}, tags: {a: base}}
`
	var want service
	require.NoError(t, load(dev(base), nil, &want))
	require.Equal(t, "base", want.Types.Inline.FromInline)
	for name, local := range map[string]string{
		"a section with only comments": "server:\n  # debug: false\n  # tls:\n  #   cert_file: local\n",
		"a section at the end":         "server:",
		"the whole":                    "---\n",
		"every section":                "listen:\nserver:\nauth:\nlabels:\nlimits:\ntypes:\nregistry:\n",
		"a nested section":             "server:\n  tls:\n    # key_file: local\nregistry:\n  cache:\n  tags:\n",
		"a single value":               "listen:\nserver:\n  timeout:\n  debug: # true\n  tls:\n    key_file:\n",
		"values of each type":          "types:\n  pint:\n  level:\n  bool:\n  from_inline:\n",
		"a sequence":                   "auth:\n  tokens:\n  # - {subject: local}\ntypes:\n  ints:\n  nested:\n",
		"a map and what is in one":     "labels:\n  a:\nlimits:\n  a:\n    rate:\ntypes:\n  pmap:\n    x:\n",
		"between braces":               "{listen: , server: {debug: , tls}, auth: {tokens: }, limits: {a}}",
		"with an explicit key":         "? listen\n? server\n: \n",
		"a type":                       "registry:\n  type:\n  region: base\nlabels:\n  type:\n",
		"a section of a type":          "registry:\n  type: ecr\n  cache:\n  region:\n",
		"an empty mapping":             "server: {tls: {}}\nregistry: {}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got service
			require.NoError(t, load(files{"development.yaml": base, "local.yaml": local}, nil, &got))
			require.Equal(t, want, got)
		})
	}
}

func TestOnlyTheWordRemoves(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"null", "Null", "NULL", "~"} {
		got := service{Listen: "default"}
		require.NoError(t, load(files{
			"development.yaml": "listen: ${UNSET}\nserver: {debug: true, timeout: 5s}\nauth: {tokens: [{subject: a}]}\nlabels: {a: b, c: d}\n",
			"local.yaml":       "listen: " + word + "\nserver:\n  debug: " + word + "\nauth: {tokens: " + word + "}\nlabels: {a: " + word + "}\n",
		}, nil, &got))
		require.Equal(t, service{Listen: "default", Server: server{Timeout: 5 * time.Second}, Labels: map[string]string{"c": "d"}}, got, word)
	}
	var got service
	require.NoError(t, load(files{
		"development.yaml": "listen: base\nserver: null\nlabels: {a: b}\n", "local.yaml": "listen: ''\nserver:\nlabels: {a: \"${E}\"}\n",
	}, env{"E": ""}, &got))
	require.Equal(t, service{Labels: map[string]string{"a": ""}}, got, "an empty text is a text")
}

// What is below stays with its mistakes, at its own place.
func TestLeftEmptyHidesNothing(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{
		"config/development.yaml:1: listen: variable U is not set",
		"config/development.yaml:2: server: must be a mapping, not a single value",
		"config/development.yaml:3: auth.tokens[0].subject: is required",
		"config/development.yaml:4: registry.region: is required",
	}, lines(load(files{
		"development.yaml": "listen: ${U}\nserver: x\nauth: {tokens: [{}]}\nregistry: {type: ecr}\n",
		"local.yaml":       "# mine\n\n\n\n\nlisten:\nserver:\nauth:\n  tokens:\nregistry:\n",
	}, nil, new(service))))
}

// With nothing below, the default stays, of which nothing is made: no struct behind a pointer, no entry in a map, no type.
func TestLeftEmptyKeepsDefaults(t *testing.T) {
	t.Parallel()
	const content = `
listen:
server:
  tls:
  timeout:
auth:
  tokens:
labels:
  a:
  new:
limits:
  a:
    burst:
  new:
types:
  pint:
  pstring:
  paddr:
  secret:
  strings:
  ints:
  ptls:
  map:
    new:
  pmap:
    x:
    new:
`
	for name, fs := range map[string]files{
		"in the lower": dev(content), "in the upper": {"development.yaml": "", "local.yaml": content}, "in both": {"development.yaml": content, "local.yaml": content},
	} {
		got := filledService()
		require.NoError(t, load(fs, nil, &got), name)
		require.Equal(t, filledService(), got, name)
		var zero service
		require.NoError(t, load(fs, nil, &zero), name)
		require.Equal(t, service{Limits: map[string]limit{"a": {}}}, zero, name)
	}

	calls := new([]string)
	drawn := drawing{Shape: shape{Common: shapeCommon{Color: "default"}, Part: &circle{Radius: 7}, calls: calls}}
	require.NoError(t, load(dev("shape:\n  # type: square\nptr:\nlist:\nby_name:\n  a:\n"), nil, &drawn))
	require.Empty(t, *calls)
	require.Equal(t, drawing{Shape: shape{Common: shapeCommon{Color: "default"}, Part: &circle{Radius: 7}, calls: calls}}, drawn)
}

// A layer that names another type replaces what is below: what it leaves empty isn't that of the other type.
func TestLeftEmptyUnderAnotherType(t *testing.T) {
	t.Parallel()
	var got service
	require.NoError(t, load(files{
		"development.yaml": "registry: {type: ecr, region: x, insecure: true, cache: {max_entries: 5}}",
		"local.yaml":       "registry: {type: oci-client-auth, registry_url: x, insecure: , cache: }"}, nil, &got))
	require.Equal(t, &oci{RegistryURL: "x"}, got.Reg.part)
	require.Equal(t, 100000, got.Reg.common.Cache.MaxEntries)

	require.NoError(t, load(files{"development.yaml": "registry: {type: , cache: {max_entries: 5}}", "local.yaml": "registry: {type: oci-client-auth}"}, nil, &got))
	require.Equal(t, 5, got.Reg.common.Cache.MaxEntries, "no type below merges")
}

// What is reported of a key that is left empty has the key's line.
func TestLeftEmptyMistakes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, content string
		want          []string
	}{
		{"an element", "auth:\n  tokens:\n  -\n  - # {subject: a}\ntypes:\n  strings:\n  -\n  - a\n  nested:\n  -\n  - -\n", []string{
			"config/development.yaml:3: auth.tokens[0]: an element can't be empty or null; remove it or give it a value",
			"config/development.yaml:4: auth.tokens[1]: an element can't be empty or null; remove it or give it a value",
			"config/development.yaml:7: types.strings[0]: an element can't be empty or null; remove it or give it a value",
			"config/development.yaml:10: types.nested[0]: an element can't be empty or null; remove it or give it a value",
			"config/development.yaml:11: types.nested[1][0]: an element can't be empty or null; remove it or give it a value"}},
		{"a key of an element", "auth:\n  tokens:\n  - access:\n    subject:\n", []string{
			"config/development.yaml:4: auth.tokens[0].subject: is required"}},
		{"an unknown section", "sever:\n  # debug: true\n", []string{`config/development.yaml:1: sever: unknown key; did you mean "server"?`}},
		{"an unknown key of a type", "registry:\n  type: oci-client-auth\n  region:\n", []string{
			"config/development.yaml:3: registry.region: unknown key; the known ones are type, cache, registry_url, namespace, client_registry_url, insecure"}},
		{"a type", "registry:\n  region: x\n  type:\n", []string{
			"config/development.yaml:3: registry.type: is required; known types are ecr, oci-client-auth"}},
		{"what is required", "registry:\n  type: ecr\n  region:\n", []string{"config/development.yaml:3: registry.region: is required"}},
		{"twice", "server:\nlisten: x\nserver:\n", []string{"config/development.yaml:3: server: duplicate key, already on line 1"}},
		{"with an anchor", "server: &a\nlisten: !!null\n", []string{
			"config/development.yaml:1: server: anchors (&) are not supported; remove it, or quote a value that starts with &",
			"config/development.yaml:2: listen: tags (!) are not supported; remove it, or quote a value that starts with !"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, lines(load(dev(tt.content), nil, new(service))))
			require.Len(t, lines(load(files{"development.yaml": "", "local.yaml": tt.content}, nil, new(service))), len(tt.want))
		})
	}
	// A section that is required as a whole.
	var required struct {
		Section needed `yaml:"section"`
	}
	require.Equal(t, []string{"config/development.yaml:2: section.name: is required"}, lines(load(dev("# all of it\nsection:\n"), nil, &required)))
}

type needed struct {
	Name string `yaml:"name"`
}

func (n needed) Validate() error {
	if n.Name == "" {
		return problem{"name", "is required"}
	}
	return nil
}

// FuzzLeftEmpty: a local.yaml that leaves every section empty makes no difference, neither to what is loaded nor to what is wrong with it.
func FuzzLeftEmpty(f *testing.F) {
	for _, m := range mistakes {
		f.Add(m.files["development.yaml"])
	}
	f.Add(ecrExample)
	f.Add(ociExample)
	f.Fuzz(func(t *testing.T, content string) {
		e := env{"S": "x"}
		var alone, below service
		err := load(dev(content), e, &alone)
		require.Equal(t, lines(err), lines(load(files{
			"development.yaml": content, "local.yaml": "listen:\nserver:\nauth:\nlabels:\nlimits:\ntypes:\nregistry:\n"}, e, &below)))
		want, err := configload.Marshal(&alone)
		got, errBelow := configload.Marshal(&below)
		require.Equal(t, err, errBelow)
		require.Equal(t, string(want), string(got))
	})
}
