package configload_test

import (
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
)

func fullTypes() types {
	s, n, a := "on", -1, netip.MustParseAddr("fe80::1")
	return types{
		String: "012345678901", Named: "null", Bool: true, Int: math.MinInt, Int8: -128, Int64: math.MaxInt64,
		Uint: 7, Uint8: 255, Uint64: math.MaxUint64, Float32: 0.1, Float: 1e300, Duration: 90*time.Minute + time.Nanosecond,
		Addr: netip.MustParseAddr("192.0.2.1"), Level: 2, PString: &s, PInt: &n, PAddr: &a,
		Strings: []string{"", "true", "- x", "a: b", "#", "${A}", "$$", "p$w", "two\nlines\n", " x ", "\t", "é\u2028\u0085\ufeff😀", "~", "1e3"},
		Ints:    []int{1, -2}, Nested: [][]int{{1}, nil, {2, 3}}, PTLS: []*tls{{CertFile: "a"}, {}},
		Map: map[string]int{"1": 1, "b c": 2, "true": 3, "<<": 4, "": 5}, PMap: map[mode]*tls{"x": {CertFile: "c"}},
		Untagged: "u", Embedded: Embedded{"1"}, embedded: embedded{"2"}, Inline: inlined{"3"},
	}
}

func TestMarshalRoundTrip(t *testing.T) {
	t.Parallel()
	for _, want := range []types{{}, fullTypes()} {
		out, err := configload.Marshal(want)
		require.NoError(t, err)
		var got types
		require.NoError(t, load(dev(string(out)), nil, &got), "%s", out)
		require.Equal(t, want, got, "%s", out)

		again, err := configload.Marshal(&got)
		require.NoError(t, err)
		require.Equal(t, string(out), string(again))
	}
}

func TestMarshalText(t *testing.T) {
	t.Parallel()
	s := service{
		Listen: "yes", Server: server{Timeout: time.Hour},
		Auth:   auth{Tokens: []token{{Subject: "ci", Projects: []string{"*"}}}},
		Labels: map[string]string{"b": "$${x}", "a": "1"},
	}
	require.NoError(t, s.Reg.SetConfigType("oci-client-auth"))
	require.NoError(t, s.Auth.Tokens[0].Token.UnmarshalText([]byte("hunter2")))
	out, err := configload.Marshal(struct {
		Listen string   `yaml:"listen"`
		Server server   `yaml:"server"`
		Auth   auth     `yaml:"auth"`
		Reg    registry `yaml:"registry"`
		Labels map[string]string
		Limits map[string]limit `yaml:",omitempty"`
	}{s.Listen, s.Server, s.Auth, s.Reg, s.Labels, nil})
	require.NoError(t, err)
	require.Equal(t, `listen: "yes"
server:
  timeout: 1h0m0s
  debug: false
auth:
  tokens:
  - token: '[redacted]'
    subject: ci
    access: ''
    projects:
    - '*'
registry:
  type: oci-client-auth
  cache:
    enabled: true
    min_remaining: 15m0s
    max_entries: 100000
    max_in_flight: 0
    max_per_second: 0
  registry_url: ''
  namespace: ''
  client_registry_url: ''
  insecure: false
labels:
  a: "1"
  b: $$$${x}
limits: {}
`, string(out))
}

func TestMarshalErrors(t *testing.T) {
	t.Parallel()
	type careless struct{ S mute }
	for _, tt := range []struct {
		value any
		want  string
	}{
		{nil, "configload: Marshal needs a struct or a pointer to one, not <nil>"},
		{(*listen)(nil), "configload: Marshal needs a struct or a pointer to one, not *configload_test.listen"},
		{7, "configload: Marshal needs a struct or a pointer to one, not int"},
		{struct{ A chan int }{}, "configload: struct { A chan int }.A: type chan int can't be configured"},
		{careless{"hunter2"}, "configload: s: type configload_test.mute has UnmarshalText but no MarshalText"},
		{struct{ A broken }{}, "configload: a: MarshalText of configload_test.broken failed"},
		{listen{"\xff"}, "configload: listen: not UTF-8"},
		{struct{ A []*tls }{[]*tls{nil}}, "configload: a[0]: an element without a value can't be written"},
		{struct{ A map[string]int }{map[string]int{"\xff": 1}}, "configload: a: a key is not UTF-8"},
		{struct{ A badParts }{}, "configload: a part of *configload_test.badParts must be a pointer to a struct " +
			"that is no Variant, not configload_test.listen"},
	} {
		out, err := configload.Marshal(tt.value)
		require.EqualError(t, err, tt.want)
		require.Nil(t, out)
	}
}

// mute is a secret whose author forgot MarshalText.
type mute string

func (m *mute) UnmarshalText(text []byte) error { *m = mute(text); return nil }

// broken quotes its value when it fails.
type broken string

func (broken) MarshalText() ([]byte, error) { return nil, errors.New("hunter2 can't be shown") }

func FuzzMarshal(f *testing.F) {
	for _, s := range fullTypes().Strings {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		type configuration struct {
			Value string
			List  []string
			Map   map[string]string
		}
		want := configuration{value, []string{value, "x"}, map[string]string{key: value}}
		out, err := configload.Marshal(want)
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		var got configuration
		require.NoError(t, load(dev(string(out)), nil, &got), "%q", out)
		require.Equal(t, want, got, "%q", out)
	})
}
