package configload_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLoadEveryType(t *testing.T) {
	t.Parallel()
	var got types
	require.NoError(t, load(dev(`
string: 012345678901
named: 1e3
bool: "true"
int: -5
int8: -128
int64: 9223372036854775807
uint: "7"
uint8: 255
uint64: 18446744073709551615
float32: 1.5
float: 1e3
duration: 1h30m
addr: 192.0.2.1
level: high
secret: s3cret
pstring: yes
pint: "${PINT}"
paddr: "::1"
strings: [yes, "", 0x1F, ~x]
ints: [1, -2]
nested: [[1], [], [2, 3]]
ptls: [{cert_file: a}, {key_file: b}]
map: {a: 1, "b c": 2}
pmap: {x: {cert_file: c}}
untagged: u
from_exported: 1
from_unexported: 2
from_inline: 3
`), env{"PINT": "42"}, &got))

	require.Equal(t, "s3cret", got.Secret.reveal())
	got.Secret = secret{}
	yes, n, addr := "yes", 42, netip.MustParseAddr("::1")
	require.Equal(t, types{
		String: "012345678901", Named: "1e3", Bool: true, Int: -5, Int8: -128, Int64: 9223372036854775807,
		Uint: 7, Uint8: 255, Uint64: 18446744073709551615, Float32: 1.5, Float: 1000, Duration: 90 * time.Minute,
		Addr: netip.MustParseAddr("192.0.2.1"), Level: 2, PString: &yes, PInt: &n, PAddr: &addr,
		Strings: []string{"yes", "", "0x1F", "~x"}, Ints: []int{1, -2}, Nested: [][]int{{1}, nil, {2, 3}},
		PTLS: []*tls{{CertFile: "a"}, {KeyFile: "b"}}, Map: map[string]int{"a": 1, "b c": 2},
		PMap: map[mode]*tls{"x": {CertFile: "c"}}, Untagged: "u",
		Embedded: Embedded{"1"}, embedded: embedded{"2"}, Inline: inlined{"3"},
	}, got)
}
