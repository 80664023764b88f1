package configload_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMerge(t *testing.T) {
	t.Parallel()
	got := service{Listen: "default", Server: server{Timeout: time.Second}}
	require.NoError(t, load(files{
		"development.yaml": `
listen: base
server: {debug: true, timeout: 5s, tls: {cert_file: base, key_file: base}}
auth: {tokens: [{subject: a, access: push}, {subject: b}]}
labels: {a: base, b: base, c: base}
`,
		"local.yaml": `
server: {tls: {cert_file: local}, timeout: null}
auth: {tokens: [{subject: c}]}
labels: {a: local, b: null, d: local}
listen: ~
`}, nil, &got))
	require.Equal(t, "default", got.Listen, "null removes what is below; the default is not in the files")
	require.Equal(t, server{Timeout: time.Second, Debug: true, TLS: &tls{CertFile: "local", KeyFile: "base"}}, got.Server)
	require.Equal(t, []token{{Subject: "c"}}, got.Auth.Tokens, "sequences replace")
	require.Equal(t, map[string]string{"a": "local", "c": "base", "d": "local"}, got.Labels)
}

func TestMergeOfDifferentKindsReplaces(t *testing.T) {
	t.Parallel()
	var got service
	require.NoError(t, load(files{
		"development.yaml": "server: x\nlabels: [a]\nlisten: {a: b}\nauth: ${UNSET}\n",
		"local.yaml":       "server: {debug: true}\nlabels: {a: b}\nlisten: x\nauth: {tokens: []}\n"}, nil, &got))
	require.Equal(t, service{Server: server{Debug: true}, Labels: map[string]string{"a": "b"}, Listen: "x"}, got)
}

func TestMergeByType(t *testing.T) {
	t.Parallel()
	const base = "registry: {type: ecr, region: eu-west-1, account_id: 1, cache: {max_entries: 5}}\n"
	for _, tt := range []struct {
		name        string
		base, local string
		env         env
		wantType    string
		wantEntries int
		want        []string
	}{
		{"another type replaces", base, "registry: {type: oci-client-auth, registry_url: x}", nil, "oci-client-auth", 100000, nil},
		{"the same type merges", base, "registry: {type: ecr, region: x}", nil, "ecr", 5, nil},
		{"no type above merges", base, "registry: {region: x}", nil, "ecr", 5, nil},
		{"no type below merges", "registry: {cache: {max_entries: 5}}", "registry: {type: oci-client-auth}", nil,
			"oci-client-auth", 5, nil},
		{"an empty type is none", base, "registry: {type: \"${T:-}\"}", nil, "", 0, []string{
			"config/local.yaml:1: registry.type: is required; known types are ecr, oci-client-auth"}},
		{"a null type is removed", base, "registry: {type: ~}", nil, "", 0, []string{
			"config/local.yaml:1: registry.type: is required; known types are ecr, oci-client-auth"}},
		{"after substitution, another", base, "registry: {type: \"${T}\"}", env{"T": "oci-client-auth"}, "oci-client-auth",
			100000, nil},
		{"after substitution, the same", base, "registry: {type: \"${T}\"}", env{"T": "ecr"}, "ecr", 5, nil},
		{"below is substituted too", "registry: {type: \"${T}\", cache: {max_entries: 5}, region: x}", "registry: {type: ecr}",
			env{"T": "ecr"}, "ecr", 5, nil},
		{"replaced values are not evaluated", "registry: {type: ecr, region: \"${UNSET}\"}", "registry: {type: oci-client-auth}",
			nil, "oci-client-auth", 100000, nil},
		{"an unset type above is reported once", base, "registry: {type: \"${T}\"}", nil, "", 0, []string{
			"config/local.yaml:1: registry.type: variable T is not set"}},
		{"an unset type below decides, so it is a mistake", "registry: {type: \"${T}\", region: x}", "registry: {type: ecr}",
			nil, "", 0, []string{"config/development.yaml:1: registry.type: variable T is not set"}},
		{"an unset type below that nothing is compared with", "registry: {type: \"${T}\"}", "registry: ~", nil, "", 0, nil},
		{"a type is substituted once", base, "registry: {type: \"${T}\"}", env{"T": "${U}", "U": "ecr"}, "", 0, []string{
			`config/local.yaml:1: registry.type: unknown type "${U}"; known types are ecr, oci-client-auth`}},
		{"a type that is no scalar is none", "registry: {type: [a]}", "registry: {type: ecr, region: x}", nil, "ecr", 100000, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got service
			err := load(files{"development.yaml": tt.base, "local.yaml": tt.local}, tt.env, &got)
			require.Equal(t, tt.want, lines(err))
			require.Equal(t, tt.wantType, got.Reg.common.Type)
			require.Equal(t, tt.wantEntries, got.Reg.common.Cache.MaxEntries)
		})
	}
}

// A mapping's type decides at any depth, whether or not Go knows it as a Variant.
func TestMergeByTypeAtAnyDepth(t *testing.T) {
	t.Parallel()
	var got struct {
		Outer struct {
			Inner map[string]string
		}
	}
	require.NoError(t, load(files{
		"development.yaml": "outer: {inner: {type: a, x: \"${UNSET}\"}}",
		"local.yaml":       "outer: {inner: {type: b, y: \"1\"}}"}, nil, &got))
	require.Equal(t, map[string]string{"type": "b", "y": "1"}, got.Outer.Inner)
}
