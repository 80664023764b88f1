package configload_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDefaultsStay(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "# only a comment\n", "---\n", "null\n", "{}\n", "\ufeff# byte order mark\n",
		"listen:\nserver: {tls: {cert_file: ''}}\ntypes: {pint: \"${UNSET:-}\", pstring: '', duration: \"\", addr: '', level: ''}\n"} {
		got := filledService()
		require.NoError(t, load(dev(content), nil, &got), "%q", content)
		require.Equal(t, filledService(), got, "%q", content)
	}
}

func TestDefaultsAreOverridden(t *testing.T) {
	t.Parallel()
	got, shared := filledService(), filledService()
	got.Labels, got.Limits, got.Server.TLS, got.Types.PInt = shared.Labels, shared.Limits, shared.Server.TLS, shared.Types.PInt
	got.Auth.Tokens, got.Types.Ints, got.Types.PMap = shared.Auth.Tokens, shared.Types.Ints, shared.Types.PMap

	require.NoError(t, load(dev(`
labels: {a: file, b: file}
limits: {a: {rate: 9}}
server: {tls: {key_file: file}}
auth: {tokens: [{subject: file}]}
types: {pint: 8, ints: [], pmap: {x: {cert_file: file}}}
`), nil, &got))
	require.Equal(t, map[string]string{"a": "file", "b": "file", "k": "v"}, got.Labels)
	require.Equal(t, map[string]limit{"a": {Rate: 9, Burst: 2}}, got.Limits)
	require.Equal(t, &tls{CertFile: "default", KeyFile: "file"}, got.Server.TLS)
	require.Equal(t, []token{{Subject: "file"}}, got.Auth.Tokens, "nothing of the default's elements shines through")
	require.Equal(t, 8, *got.Types.PInt)
	require.Empty(t, got.Types.Ints, "an empty sequence replaces as well")
	require.Equal(t, &tls{CertFile: "file", KeyFile: "default"}, got.Types.PMap["x"])
	require.Equal(t, filledService(), shared, "what the defaults share with others is left alone")
}

func TestCRLFAndByteOrderMark(t *testing.T) {
	t.Parallel()
	var got service
	require.NoError(t, load(dev("\ufefflisten: a b\r\nserver:\r\n  debug: true\r\n"), nil, &got))
	require.Equal(t, service{Listen: "a b", Server: server{Debug: true}}, got)
}
