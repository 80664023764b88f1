package provider_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	lineEnd  = "ends in the end of a line"
	around   = "begins or ends with white space or a character that doesn't show"
	mark     = "holds a byte order mark"
	quotes   = "has quotes around it"
	variable = "is the name of a variable instead of its value; write ${NAME}"
)

func TestSecretRule(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"hunter2\n": lineEnd, "hunter2\r\n": lineEnd, "hunter2\r": lineEnd, "hunter2 \n\n": lineEnd, "hunter2\n ": lineEnd, "\n": lineEnd,
		"-----BEGIN KEY-----\naa\n-----END KEY-----\n": lineEnd,

		"hunter2 ": around, " hunter2": around, "\thunter2": around, "\nhunter2": around, "hunter2\x00": around, "hunter2\x1b": around, " ": around,
		"hunter2\u00a0": around, "\u00a0hunter2": around, "hunter2\u200b": around, "\u200bhunter2": around, "hunter2\u2060": around, "hunter2\u00ad": around,
		"hunter2\u200e": around, "hunter2\u2028": around, "hunter2\u3000": around, "hunter2\u0085": around, "hunter2\u3164": around, "hunter2\x7f": around,

		"\ufeffhunter2": mark, "hunter2\ufeff": mark, "hun\ufeffter2": mark, "\ufeffhunter2\n": mark, "\xff\xfeh\x00u\x00": mark, "\xfe\xff\x00h": mark,
		"ï»¿hunter2": mark, "\ufeff\"hunter2\"": mark,

		`"hunter2"`: quotes, `'hunter2'`: quotes, "`hunter2`": quotes, "“hunter2”": quotes, "„hunter2“": quotes, "‘hunter2’": quotes, "«hunter2»": quotes,
		`""`: quotes, `''`: quotes,

		"$CI_TOKEN": variable, "$ci_token": variable, "$_": variable, "${CI_TOKEN}": variable, "${CI_TOKEN:-hunter2}": variable, "$(CI_TOKEN)": variable,
		"$(cat /run/secrets/token)": variable, "%CI_TOKEN%": variable,

		provider.Redacted: "holds the placeholder",
	} {
		t.Run(strings.ToValidUTF8(text, "?"), func(t *testing.T) {
			t.Parallel()
			err := provider.NewSecret(text).Validate()
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "hunter2")
			require.NotContains(t, err.Error(), "CI_TOKEN")
			var s provider.Secret
			require.Equal(t, err, s.UnmarshalText([]byte(text)), "one rule")
			require.True(t, s.IsZero())
			var vouched interface{ ConfigProblem() string }
			require.ErrorAs(t, err, &vouched, "configload shows it")
			require.Equal(t, err.Error(), vouched.ConfigProblem())
		})
	}
}

// What may be a password is taken as it is.
func TestSecretRuleLetsPasswordsBe(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "x", "hunter2", "$", "$$", "$1", "$1a", "pa$$word", "pa$WORD", "$WORD!", "$A$B", "${", "${}", "a${B}", "${A}b", "${A}${B}", "$(", "$()x", "a$(b)", "%", "%%", "%A%b", "%20", "100%",
		`"`, `'`, `"a`, `a"`, `'a"`, `"a'`, `a"b"c`, "“a", "a b", "a\nb", "a\tb", "a\u00a0b", "a\u200db", "-----BEGIN KEY-----\naa\n-----END KEY-----", "pässwörd", "❤️", "\xff", "a\xff\xfe",
		"{{a}}", "<token>", "[redacted", "aHVudGVyMgo=", `C:\n`, "FwoGZXIvYXdzE//////////wEaDA==", "github_pat_11A", "eyJhbGciOiJub25lIn0.e30.",
	} {
		require.NoError(t, provider.NewSecret(text).Validate(), "%q", text)
		var s provider.Secret
		require.NoError(t, s.UnmarshalText([]byte(text)), "%q", text)
		require.Equal(t, text, s.Reveal())
	}
}

func FuzzSecretRule(f *testing.F) {
	for _, seed := range []string{"x", "x\n", " x", "\ufeffx", `"x"`, "$X", "${X}", "%X%", "a$b", "\xff\xfe", "\u200b", "[redacted]", "“”"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		err := provider.NewSecret(text).Validate()
		var s provider.Secret
		require.Equal(t, err, s.UnmarshalText([]byte(text)))
		if err != nil {
			require.True(t, s.IsZero())
			require.False(t, len(text) > 12 && strings.Contains(err.Error(), text), "shown")
			return
		}
		require.Equal(t, text, s.Reveal())
		require.Equal(t, text, strings.TrimSpace(text))
		first, _ := utf8.DecodeRuneInString(text)
		last, _ := utf8.DecodeLastRuneInString(text)
		require.False(t, text != "" && (unicode.IsControl(first) || unicode.IsControl(last) || unicode.Is(unicode.Cf, first) || unicode.Is(unicode.Cf, last)), "%q", text)
		require.NotContains(t, text, "\ufeff")
		if len(text) > 1 {
			require.False(t, text[0] == text[len(text)-1] && strings.ContainsRune("\"'`", rune(text[0])), "%q", text)
		}
		name, dollar := strings.CutPrefix(text, "$")
		require.False(t, dollar && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "", "%q", text)
	})
}

// keys has secrets wherever a section can have them.
type keys struct {
	Plain   provider.Secret            `yaml:"plain"`
	Pointer *provider.Secret           `yaml:"pointer"`
	List    []provider.Secret          `yaml:"list"`
	Map     map[string]provider.Secret `yaml:"map"`
	Nested  struct {
		Untagged provider.Secret
	} `yaml:"nested"`
	Logins   []*login `yaml:"logins"`
	Exported `yaml:",inline"`
	embedded `yaml:",inline"`
	Next     *keys           `yaml:"next"`
	Ours     provider.Secret `yaml:"-"`
	hidden   provider.Secret
}

type login struct {
	User     string          `yaml:"user"`
	Password provider.Secret `yaml:"password"`
}

type Exported struct {
	Inlined provider.Secret `yaml:"inlined"`
}

type embedded struct {
	Within provider.Secret `yaml:"within"`
}

// Validate complains of one secret itself.
func (k keys) Validate() error {
	if err := k.Plain.Validate(); err != nil {
		return errors.Join(provider.NewConfigError("plain", "in its own words"), provider.NewConfigError("user", "is required"))
	}
	return nil
}

// A section that is written in Go has its secrets checked as one that is loaded has.
func TestBuilderChecksSecrets(t *testing.T) {
	t.Parallel()
	built := 0
	b := provider.NewBuilder("keys", nil, func(context.Context, keys) (*fake, error) { built++; return &fake{}, nil })
	bad, good := provider.NewSecret("hunter2\n"), provider.NewSecret("hunter2")
	for key, change := range map[string]func(*keys){
		"pointer":            func(k *keys) { k.Pointer = &bad },
		"list[1]":            func(k *keys) { k.List = []provider.Secret{good, bad} },
		"map.a":              func(k *keys) { k.Map = map[string]provider.Secret{"a": bad, "b": good} },
		`map["a b"]`:         func(k *keys) { k.Map = map[string]provider.Secret{"a b": bad} },
		"nested.untagged":    func(k *keys) { k.Nested.Untagged = bad },
		"logins[1].password": func(k *keys) { k.Logins = []*login{nil, {Password: bad}} },
		"inlined":            func(k *keys) { k.Inlined = bad },
		"within":             func(k *keys) { k.Within = bad },
		"next.within":        func(k *keys) { k.Next = &keys{}; k.Next.Within, k.Next.Next = bad, k },
	} {
		section := b.NewConfig().(*keys)
		change(section)
		_, err := b.Build(t.Context(), section)
		require.ErrorIs(t, err, provider.ErrMisconfigured, key)
		require.ErrorContains(t, err, "build keys provider: misconfigured: "+key+": "+lineEnd)
		require.NotContains(t, err.Error(), "hunter2")
		var problem *provider.ConfigError
		require.ErrorAs(t, err, &problem)
		require.Equal(t, key, problem.Key)
	}
	section := b.NewConfig().(*keys)
	section.Plain, section.Inlined = bad, bad
	_, err := b.Build(t.Context(), section)
	require.ErrorContains(t, err, "misconfigured: inlined: "+lineEnd, "beside what the section finds itself")
	require.ErrorContains(t, err, "\nplain: in its own words\nuser: is required")
	require.NotContains(t, err.Error(), "plain: "+lineEnd, "once")
	require.Zero(t, built)

	section = b.NewConfig().(*keys)
	section.Plain, section.Pointer, section.Next, section.Ours, section.hidden = good, &good, section, bad, bad
	_, err = b.Build(t.Context(), section)
	require.NoError(t, err, "what has no key is the program's own")
	require.Equal(t, 1, built)
}
