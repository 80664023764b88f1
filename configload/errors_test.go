package configload_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mistakes has one entry for each kind of mistake, with the exact text. "dev" and "local" stand for the files' paths.
var mistakes = []struct {
	name  string
	files files
	env   env
	want  []string
}{
	// Files.
	{"missing", files{}, nil, []string{
		"config/development.yaml: no such file, and no development.yml either; this file is required"}},
	{"only local", files{"local.yaml": "listen: x"}, nil, []string{
		"config/development.yaml: no such file, and no development.yml either; this file is required"}},
	{"both endings", files{"development.yaml": "", "development.yml": ""}, nil, []string{
		"config/development.yaml: both development.yaml and development.yml exist; keep one"}},
	{"both endings, local, and another mistake",
		files{"development.yaml": "a: b: c", "local.yaml": "", "local.yml": ""}, nil, []string{
			"dev:1: not valid YAML: unexpected colon; check the indentation and quote a value that contains \": \"",
			"local: both local.yaml and local.yml exist; keep one"}},
	{"too large", dev(strings.Repeat("#", 1<<20+1)), nil, []string{"dev: can't be read: larger than 1 MiB"}},
	{"not UTF-8", dev("listen: x\nlabels: \"\xff\"\n"), nil, []string{
		"dev:2: not UTF-8 text, or a control character that YAML doesn't allow"}},
	{"control character", dev("\nlisten: \x00"), nil, []string{
		"dev:2: not UTF-8 text, or a control character that YAML doesn't allow"}},
	{"UTF-16", dev("\xff\xfea\x00"), nil, []string{
		"dev:1: not UTF-8 text, or a control character that YAML doesn't allow"}},

	// Syntax.
	{"tab", dev("server:\n\tdebug: true\n"), nil, []string{"dev:2: not valid YAML: a tab can't indent; use spaces"}},
	{"special character", dev("listen: @x\n"), nil, []string{
		"dev:1: not valid YAML: a value that starts with a special character must be quoted"}},
	{"open quote", dev("listen: 'x\nserver:\n  debug: true\n"), nil, []string{
		"dev:1: not valid YAML: a quote is opened here and never closed"}},
	{"escape", dev("listen: \"\\q\"\n"), nil, []string{
		`dev:1: not valid YAML: unknown escape; in double quotes a backslash is written \\, in single quotes \`}},
	{"colon", dev("listen: a: b\n"), nil, []string{
		"dev:1: not valid YAML: unexpected colon; check the indentation and quote a value that contains \": \""}},
	{"variable in a flow sequence", dev("\nauth: [${A}]\n"), nil, []string{
		"dev:2: not valid YAML: between [ ] or { } something isn't closed or separated; quote a ${...} there"}},
	{"no colon", dev("listen: x\nserver\n"), nil, []string{"dev:2: not valid YAML: expected key: value"}},
	{"directive", dev("%YAML 3.0\n---\na: b\n"), nil, []string{
		"dev:1: not valid YAML; check the indentation and quote values with special characters"}},
	{"depth of flow", dev("listen:\n  " + strings.Repeat("[", 70)), nil, []string{
		"dev:2: nested too deep; at most 64 levels are possible"}},
	{"depth of block", dev(strings.Repeat("- ", 100)), nil, []string{
		"dev:1: nested too deep; at most 64 levels are possible"}},

	// What YAML has and configuration doesn't.
	{"sequence at the top", dev("# x\n- a\n"), nil, []string{"dev:2: the top level must be a mapping, not a sequence"}},
	{"scalar at the top", dev("hello\n"), nil, []string{"dev:1: the top level must be a mapping, not a single value"}},
	{"tag at the top", dev("!x {}\n"), nil, []string{
		"dev:1: tags (!) are not supported; remove it, or quote a value that starts with !"}},
	{"documents", dev("listen: x\n---\nlisten: y\n"), nil, []string{
		"dev:2: a second document starts here; a file holds one document"}},
	{"broken second document", dev("listen: x\n---\nlisten: 'y\n"), nil, []string{
		"dev:3: not valid YAML: a quote is opened here and never closed"}},
	{"duplicate", dev("listen: x\nserver:\n  debug: true\n  debug: false\nlisten: y\n"), nil, []string{
		"dev:4: server.debug: duplicate key, already on line 3",
		"dev:5: listen: duplicate key, already on line 1"}},
	{"tags", dev("listen: !!str x\nserver: !x {}\nlabels: {a: ! b, !c d: e}\n"), nil, []string{
		"dev:1: listen: tags (!) are not supported; remove it, or quote a value that starts with !",
		"dev:2: server: tags (!) are not supported; remove it, or quote a value that starts with !",
		"dev:3: labels: tags (!) are not supported; remove it, or quote a value that starts with !",
		"dev:3: labels.a: tags (!) are not supported; remove it, or quote a value that starts with !"}},
	{"anchors and aliases", dev("listen: &a x\nlabels:\n  a: *a\n"), nil, []string{
		"dev:1: listen: anchors (&) are not supported; remove it, or quote a value that starts with &",
		"dev:3: labels.a: aliases (*) are not supported; write the value out, or quote it if it starts with *"}},
	{"alias without anchor", dev("listen: *a\n"), nil, []string{
		"dev:1: aliases (*) are not supported; write the value out, or quote it if it starts with *"}},
	{"merge key", dev("server:\n  <<: {debug: true}\n"), nil, []string{
		"dev:2: server: merge keys (<<) are not supported; write the keys out"}},
	{"keys that aren't strings", dev("labels:\n  1: a\n  true: b\n  null: c\n  1.5: d\n  2020-01-01: e\n  ? [f]\n  : g\n"), nil,
		[]string{
			"dev:2: labels: a key must be a string; quote a key that YAML reads as another type",
			"dev:3: labels: a key must be a string; quote a key that YAML reads as another type",
			"dev:4: labels: a key must be a string; quote a key that YAML reads as another type",
			"dev:5: labels: a key must be a string; quote a key that YAML reads as another type",
			"dev:6: labels: a key must be a string; quote a key that YAML reads as another type",
			"dev:7: labels: a key must be a string, not a sequence or a mapping; quote a value that starts with [ or {"}},

	// Unknown keys.
	{"near key", dev("listne: x\nServer: {}\nauth: {tokens: [{subject: a, projcts: []}]}\n"), nil, []string{
		`dev:1: listne: unknown key; did you mean "listen"?`,
		`dev:2: Server: unknown key; did you mean "server"?`,
		`dev:3: auth.tokens[0].projcts: unknown key; did you mean "projects"?`}},
	{"swapped letters", dev("server: {tsl: {}}"), nil, []string{`dev:1: server.tsl: unknown key; did you mean "tls"?`}},
	{"far key", dev("server:\n  port: 1\n"), nil, []string{
		`dev:2: server.port: unknown key; the known ones are timeout, tls, debug`}},
	{"ignored and unexported fields", dev("ignored: x\nhidden: y\n\"-\": z\n"), nil, []string{
		`dev:1: ignored: unknown key; the known ones are listen, server, auth, labels, limits, types, registry`,
		`dev:2: hidden: unknown key; the known ones are listen, server, auth, labels, limits, types, registry`,
		`dev:3: -: unknown key; the known ones are listen, server, auth, labels, limits, types, registry`}},
	{"odd key", dev("\"a\\nb\": x\n" + strings.Repeat("k", 70) + ": y\n"), nil, []string{
		`dev:1: ["a\nb"]: unknown key; the known ones are listen, server, auth, labels, limits, types, registry`,
		`dev:2: ["` + strings.Repeat("k", 64) +
			`…"]: unknown key; the known ones are listen, server, auth, labels, limits, types, registry`}},
	{"unknown key in either file", files{"development.yaml": "server: {a: 1}", "local.yaml": "server: {b: 1}"}, nil, []string{
		`dev:1: server.a: unknown key; the known ones are timeout, tls, debug`,
		`local:1: server.b: unknown key; the known ones are timeout, tls, debug`}},

	// Types.
	{"kinds", dev("listen: []\nserver: x\nauth: {tokens: {}}\nlabels: [a]\nlimits: {a: 1}\ntypes: {int: {}, strings: a, addr: []}\n"), nil,
		[]string{
			"dev:1: listen: must be a single value, not a sequence",
			"dev:2: server: must be a mapping, not a single value",
			"dev:3: auth.tokens: must be a sequence, not a mapping",
			"dev:4: labels: must be a mapping, not a sequence",
			"dev:5: limits.a: must be a mapping, not a single value",
			"dev:6: types.addr: must be a single value, not a sequence",
			"dev:6: types.int: must be a single value, not a mapping",
			"dev:6: types.strings: must be a sequence, not a single value"}},
	{"null element", dev("types:\n  strings:\n  - a\n  -\n  ptls:\n  - ~\n  nested: [null]\n"), nil, []string{
		"dev:4: types.strings[1]: an element can't be empty or null; remove it or give it a value",
		"dev:6: types.ptls[0]: an element can't be empty or null; remove it or give it a value",
		"dev:7: types.nested[0]: an element can't be empty or null; remove it or give it a value"}},
	{"empty element", dev("types:\n  ints: [\"\"]\n  map: {a: \"\"}\n"), nil, []string{
		"dev:2: types.ints[0]: must be a whole number, in decimal digits without leading zeros",
		"dev:3: types.map.a: must be a whole number, in decimal digits without leading zeros"}},
	{"bool", dev("types: {bool: yes}"), nil, []string{"dev:1: types.bool: must be true or false"}},
	{"int", dev("types:\n  int: 1.0\n  int8: 128\n  int64: -9223372036854775809\n  pint: 0123\n  ints: [0x1F, 1e3]\n"), nil,
		[]string{
			"dev:2: types.int: must be a whole number, in decimal digits without leading zeros",
			"dev:3: types.int8: must be between -128 and 127",
			"dev:4: types.int64: must be between -9223372036854775808 and 9223372036854775807",
			"dev:5: types.pint: must be a whole number, in decimal digits without leading zeros",
			"dev:6: types.ints[0]: must be a whole number, in decimal digits without leading zeros",
			"dev:6: types.ints[1]: must be a whole number, in decimal digits without leading zeros"}},
	{"uint", dev("types:\n  uint: -1\n  uint8: 256\n  uint64: 18446744073709551616\n"), nil, []string{
		"dev:2: types.uint: must be between 0 and 18446744073709551615",
		"dev:3: types.uint8: must be between 0 and 255",
		"dev:4: types.uint64: must be between 0 and 18446744073709551615"}},
	{"uint text", dev("types:\n  uint: x\n"), nil, []string{
		"dev:2: types.uint: must be a whole number, in decimal digits without leading zeros"}},
	{"float", dev("types:\n  float: .inf\n  float32: 1e39\n"), nil, []string{
		"dev:2: types.float: must be a number",
		"dev:3: types.float32: must be a number of smaller magnitude"}},
	{"float text", dev("types:\n  float: 1e\n  float32: 0x1p-2\n"), nil, []string{
		"dev:2: types.float: must be a number",
		"dev:3: types.float32: must be a number"}},
	{"duration", dev("types:\n  duration: 3600\nserver:\n  timeout: soon\n"), nil, []string{
		"dev:2: types.duration: has no unit; write a duration with a unit, such as 90s, 15m or 1h30m",
		"dev:4: server.timeout: must be a duration with a unit, such as 90s, 15m or 1h30m"}},
	{"text", dev("types:\n  addr: 1.2.3\n  level: middle\n"), nil, []string{
		"dev:2: types.addr: not a valid netip.Addr",
		"dev:3: types.level: must be low or high"}},

	// Substitution.
	{"unset", dev("listen: ${HOST}:${PORT}\nserver:\n  timeout: \"${T}${T}\"\n"), nil, []string{
		"dev:1: listen: variable HOST is not set",
		"dev:1: listen: variable PORT is not set",
		"dev:3: server.timeout: variable T is not set"}},
	{"required", dev("listen: ${A:?ask  the\tadmin}\nlabels: {a: \"${B:?}\"}\n"), env{"B": ""}, []string{
		"dev:1: listen: variable A is not set or empty: ask the admin",
		"dev:2: labels.a: variable B is not set or empty"}},
	{"unterminated", dev("listen: pa${ss\n"), nil, []string{
		"dev:1: listen: ${ without its closing }; write $${ for a literal ${"}},
	{"name", dev("listen: a${1}b\nlabels: {a: \"${}\", b: \"${ A}\"}\n"), nil, []string{
		"dev:1: listen: ${ must be followed by a variable's name, [A-Za-z_][A-Za-z0-9_]*; write $${ for a literal ${",
		"dev:2: labels.a: ${ must be followed by a variable's name, [A-Za-z_][A-Za-z0-9_]*; write $${ for a literal ${",
		"dev:2: labels.b: ${ must be followed by a variable's name, [A-Za-z_][A-Za-z0-9_]*; write $${ for a literal ${"}},
	{"operator", dev("listen: ${A+b}\nlabels: {a: \"${A?b}\"}\n"), nil, []string{
		"dev:1: listen: after the variable's name in ${...} comes }, or :- or - and a default, or :? and a message; " +
			"write $${ for a literal ${",
		"dev:2: labels.a: after the variable's name in ${...} comes }, or :- or - and a default, or :? and a message; " +
			"write $${ for a literal ${"}},
	{"nesting", dev("listen: " + strings.Repeat("${A:-", 18) + strings.Repeat("}", 18)), nil, []string{
		"dev:1: listen: defaults are nested too deep; at most 16 levels are possible"}},
	{"unset in a default", dev("listen: ${A:-${B}}"), nil, []string{"dev:1: listen: variable B is not set"}},
	{"types after substitution", dev("types: {int: \"${A}\", bool: \"${A}\"}"), env{"A": "x"}, []string{
		"dev:1: types.bool: must be true or false",
		"dev:1: types.int: must be a whole number, in decimal digits without leading zeros"}},

	// Variants.
	{"no type", dev("registry:\n  region: x\n"), nil, []string{
		"dev:1: registry.type: is required; known types are ecr, oci-client-auth"}},
	{"unknown type", dev("registry:\n  region: x\n  type: ${T}\n"), env{"T": "erc"}, []string{
		`dev:3: registry.type: unknown type "erc"; known types are ecr, oci-client-auth`}},
	{"type of the wrong kind", dev("registry: {type: [ecr]}"), nil, []string{
		"dev:1: registry.type: must be a single value, not a sequence"}},
	{"type unset", dev("registry:\n  type: ${T}\n  nonsense: ${U}\n"), nil, []string{
		"dev:2: registry.type: variable T is not set",
		"dev:3: registry.nonsense: variable U is not set"}},
	{"variant of the wrong kind", dev("registry: ecr"), nil, []string{"dev:1: registry: must be a mapping, not a single value"}},
	{"keys of another type", dev("registry:\n  type: oci-client-auth\n  region: x\n  registry_utl: y\n  cahce: {}\n"), nil,
		[]string{
			"dev:3: registry.region: unknown key; the known ones are type, cache, registry_url, namespace, client_registry_url, insecure",
			`dev:4: registry.registry_utl: unknown key; did you mean "registry_url"?`,
			`dev:5: registry.cahce: unknown key; did you mean "cache"?`}},
	{"in both parts", dev("registry:\n  type: ecr\n  region: x\n  session_duration: 60\n  cache:\n    max_entries: many\n"), nil,
		[]string{
			"dev:4: registry.session_duration: has no unit; write a duration with a unit, such as 90s, 15m or 1h30m",
			"dev:6: registry.cache.max_entries: must be a whole number, in decimal digits without leading zeros"}},

	// Rules.
	{"rules", dev("registry:\n  type: ecr\n  session_duration: 1m\n  access_key_id: AKIA\n" +
		"auth:\n  tokens:\n  - {subject: a}\n  - access: all\n    subject: b\n"), nil, []string{
		"dev:1: registry.region: is required",
		"dev:3: registry.session_duration: must be between 15m and 12h",
		"dev:8: auth.tokens[1].access: must be pull or push",
		"registry: access_key_id and secret_access_key are set both or not at all"}},
	{"rules and other mistakes", dev("auth:\n  tokens:\n  - {access: all, token: \"${T}\"}\n  - {access: all}\n"), nil, []string{
		"dev:3: auth.tokens[0].access: must be pull or push",
		"dev:3: auth.tokens[0].subject: is required",
		"dev:3: auth.tokens[0].token: variable T is not set",
		"dev:4: auth.tokens[1].access: must be pull or push",
		"dev:4: auth.tokens[1].subject: is required"}},

	// All at once.
	{"everything",
		files{
			"development.yaml": "listen: ${LISTEN}\nlabels: {a: b, a: c}\nserver: {timeout: 5}\nregistry: {type: ecr}\n",
			"local.yaml":       "serve: x\nauth: {tokens: [{}]}\n",
		}, nil, []string{
			"dev:1: listen: variable LISTEN is not set",
			"dev:2: labels.a: duplicate key, already on line 2",
			"dev:3: server.timeout: has no unit; write a duration with a unit, such as 90s, 15m or 1h30m",
			"dev:4: registry.region: is required",
			`local:1: serve: unknown key; did you mean "server"?`,
			"local:2: auth.tokens[0].subject: is required"}},
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, tt := range mistakes {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := filledService()
			err := load(tt.files, tt.env, &got)
			var want []string
			for _, line := range tt.want {
				line = strings.Replace(line, "dev:", "config/development.yaml:", 1)
				want = append(want, strings.Replace(line, "local:", "config/local.yaml:", 1))
			}
			require.Equal(t, want, lines(err))
			require.Equal(t, filledService(), got, "Load failed and changed the struct")
		})
	}
}
