package provider

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Redacted is what a [Secret] prints as.
const Redacted = "[redacted]"

// A Secret is a text that doesn't print: not with any verb of fmt, not in JSON, YAML or slog, not in a failing test's
// diff. Only [Secret.Reveal] gives it away.
//
// The zero Secret is empty and prints as the empty text. A Secret decodes from text, so it can be a field of a
// configuration. Secrets are immutable; compare them with [Secret.Equal].
type Secret struct {
	// A closure, as a string or a pointer to one shows when a printer walks unexported fields.
	reveal func() string
}

// NewSecret returns a Secret that holds text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return text }}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether s is empty.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Equal compares in a time that tells nothing of where the texts differ; it takes longer for longer texts.
func (s Secret) Equal(other Secret) bool {
	a, b := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(other.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns [Redacted], or nothing for an empty Secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return Redacted
}

// Format implements [fmt.Formatter]: every verb prints what String returns.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return s.String() }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String returns, so that encoders can't give the text away either.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText makes s hold text, or returns what [Secret.Validate] says of it and leaves s alone.
func (s *Secret) UnmarshalText(text []byte) error {
	read := NewSecret(string(text))
	if err := read.Validate(); err != nil {
		return err
	}
	*s = read
	return nil
}

// Validate returns what shows that s isn't the key, token or password that somebody meant to configure, nil for an empty s. It is one
// rule for every secret of a configuration: [Secret.UnmarshalText] has it, [NewBuilder] applies it to each Secret of a section,
// and whoever takes secrets in Go calls it. Refused are
//
//   - white space, control characters and characters that don't show, at either end: mostly the end of a file's line,
//   - a byte order mark, anywhere,
//   - quotes around the whole,
//   - a variable's name in place of its value, as the whole: $NAME, ${NAME}, $(NAME), %NAME%,
//   - [Redacted].
//
// Whether it is written so or comes out of a variable is all the same, and nothing escapes it: a secret that really is so has to be
// changed. Dollar signs and quotes elsewhere, and line ends inside, as PEM has them, are fine.
//
// The error never has the text. It has the method ConfigProblem, for configload.
func (s Secret) Validate() error {
	text := s.Reveal()
	trimmed := strings.TrimFunc(text, blank)
	switch {
	case text == "":
		return nil
	case text == Redacted:
		return problem("holds the placeholder that secrets print as; put the secret itself here")
	case marked(text):
		return problem("holds a byte order mark, which is no part of a secret; save the file that it comes from as UTF-8 without one")
	case strings.ContainsAny(text[len(strings.TrimRightFunc(text, blank)):], "\r\n"):
		return problem("ends in the end of a line, as the content of a file does; take it off where the value comes from " +
			"(printf instead of echo, |- instead of | in YAML)")
	case trimmed != text:
		return problem("begins or ends with white space or a character that doesn't show; take it off where the value comes from")
	case quoted(text):
		return problem("has quotes around it that are part of the value; take them off where it comes from: " +
			"files of variables and mounted secrets keep them")
	case reference.MatchString(text):
		return problem("is the name of a variable instead of its value; write ${NAME}, and set the variable to the value itself")
	}
	return nil
}

// blank reports whether nobody sees r at the end of a text.
func blank(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.In(r, unicode.Z, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point)
}

// marked reports whether text has a byte order mark: UTF-8's, UTF-16's, or UTF-8's read as Latin-1.
func marked(text string) bool {
	return strings.ContainsRune(text, '\ufeff') || strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") ||
		strings.HasPrefix(text, "\u00ef\u00bb\u00bf")
}

// quoted reports whether text is between quotes, those of word processors included.
func quoted(text string) bool {
	first, n := utf8.DecodeRuneInString(text)
	last, m := utf8.DecodeLastRuneInString(text)
	if len(text) < n+m {
		return false
	}
	switch string([]rune{first, last}) {
	case `""`, `''`, "``", "“”", "„“", "‘’", "‚‘", "«»":
		return true
	}
	return false
}

// reference is a variable as shells, this module's configload, Kubernetes and Windows write it.
var reference = regexp.MustCompile(`^(\$[A-Za-z_][A-Za-z0-9_]*|\$\{[A-Za-z_][^{}]*\}|\$\([^()]*\)|%[A-Za-z_][A-Za-z0-9_]*%)$`)
