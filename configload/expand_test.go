package configload_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
)

func TestExpand(t *testing.T) {
	t.Parallel()
	e := env{"A": "a", "B2_": "b", "EMPTY": "", "TRICKY": "${A} $$ {\n#x: 'y"}
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"plain", "plain"},
		{"${A}", "a"},
		{"x${A}y${B2_}z", "xaybz"},
		{"${A}${A}", "aa"},
		{"${EMPTY}", ""},
		{"${TRICKY}", "${A} $$ {\n#x: 'y"},
		{"${UNSET:-${TRICKY}}", "${A} $$ {\n#x: 'y"},

		{"${UNSET:-d}", "d"},
		{"${EMPTY:-d}", "d"},
		{"${A:-d}", "a"},
		{"${UNSET:-}", ""},
		{"${UNSET-d}", "d"},
		{"${EMPTY-d}", ""},
		{"${A-d}", "a"},
		{"${UNSET--d}", "-d"},
		{"${UNSET:--d}", "-d"},
		{"${UNSET-:-d}", ":-d"},
		{"${UNSET:- d e }", " d e "},
		{"${A:?message}", "a"},

		{"${UNSET:-${A}/x}", "a/x"},
		{"${UNSET:-${UNSET:-${B2_}}}", "b"},
		{"${A:-${UNSET}}", "a"},
		{"${A-${UNSET:?never}}", "a"},
		{"${UNSET:-{project}.apps}", "{project}.apps"},
		{"${UNSET:-{{a}${A}}}", "{{a}a}"},
		{"${UNSET:-$${A}}", "${A}"},
		{"${UNSET:-p$$w$x}", "p$w$x"},

		{"$$", "$"},
		{"$$$", "$$"},
		{"$$$$", "$$"},
		{"$${A}", "${A}"},
		{"$$${A}", "$a"},
		{"$A", "$A"},
		{"pa$word$", "pa$word$"},
		{"$", "$"},
		{"$}{", "$}{"},
		{"a}${A}}", "a}a}"},
		{"${A}$", "a$"},
		{"é${A}é", "éaé"},
	} {
		got, err := configload.Expand(tt.text, e.lookup)
		require.NoError(t, err, tt.text)
		require.Equal(t, tt.want, got, tt.text)
	}
}

// What a look-up returns beside false is no value.
func TestExpandIgnoresValueOfUnset(t *testing.T) {
	t.Parallel()
	lookup := func(string) (string, bool) { return "stale", false }
	got, err := configload.Expand("${A:-a}${B-b}", lookup)
	require.NoError(t, err)
	require.Equal(t, "ab", got)
	_, err = configload.Expand("${A:?needed}", lookup)
	require.EqualError(t, err, "variable A is not set or empty: needed")
}

func TestExpandErrors(t *testing.T) {
	t.Parallel()
	const unterminated = "${ without its closing }; write $${ for a literal ${"
	for text, want := range map[string]string{
		"${A} ${B:?b} ${A}":         "variable A is not set\nvariable B is not set or empty: b",
		"${A:-${B}${C}}":            "variable B is not set\nvariable C is not set",
		"${":                        unterminated,
		"${A":                       unterminated,
		"${A:-{}":                   unterminated,
		"${A:-${B}":                 unterminated,
		"${SET:-${1}}":              "${ must be followed by a variable's name, [A-Za-z_][A-Za-z0-9_]*; write $${ for a literal ${",
		"${A:?" + "${B} is\nneeded": unterminated,
		"${A:?${B} is\nneeded}":     "variable A is not set or empty: ${B} is needed",
	} {
		got, err := configload.Expand(text, env{"SET": "x"}.lookup)
		require.EqualError(t, err, want, text)
		require.Empty(t, got)
		var errs configload.Errors
		require.ErrorAs(t, err, &errs)
	}
}

// Keys and comments are not substituted, and all styles of strings are.
func TestWhereLoadSubstitutes(t *testing.T) {
	t.Parallel()
	var got service
	require.NoError(t, load(dev(`
# ${UNSET} ${
listen: a # ${UNSET}
labels:
  ${KEY}: plain ${V}
  single: '${V}'
  double: "${V}\n"
  literal: |
    # ${V}
  folded: >-
    ${V}
  bare: $V
`), env{"V": "x: ${V} # $$"}, &got))
	require.Equal(t, map[string]string{
		"${KEY}": "plain x: ${V} # $$", "single": "x: ${V} # $$", "double": "x: ${V} # $$\n", "literal": "# x: ${V} # $$\n",
		"folded": "x: ${V} # $$", "bare": "$V",
	}, got.Labels)
}

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"", "$", "$$", "${A}", "${A:-${B}/x}", "${T:-{project}.apps}", "$${A}", "${A:?m}", "${A-}", "pa$word",
		"${A", "${A:-$$}", "${A:-${B:-${C}}}", strings.Repeat("${A:-", 20) + strings.Repeat("}", 20)} {
		f.Add(s, "${B} $$ }")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		// Every variable has a value that is no part of any other text: it must come out whole and as it is.
		const mark = "\x00"
		marked := mark + strings.ReplaceAll(value, mark, "") + mark
		lookups := 0
		got, err := configload.Expand(text, func(string) (string, bool) { lookups++; return marked, true })
		if err != nil {
			require.Empty(t, got)
			require.Zero(t, lookups, "every variable is set, so only the notation can be wrong")
			return
		}
		if !strings.Contains(text, "${") && !strings.Contains(text, "$$") {
			require.Equal(t, text, got)
		}
		if !strings.Contains(text, mark) {
			require.Equal(t, lookups, strings.Count(got, marked), "each look-up inserts its value, unchanged")
			rest := strings.ReplaceAll(got, marked, "")
			require.NotContains(t, rest, mark)
			require.LessOrEqual(t, len(rest), len(text))
		}

		// Without any variable, no error and no default shows what isn't in the text.
		unset, err := configload.Expand(text, func(string) (string, bool) { return "", false })
		if err == nil && !strings.Contains(text, "${") {
			require.Equal(t, strings.ReplaceAll(text, "$$", "$"), unset)
		}
	})
}
