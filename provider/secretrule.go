package provider

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

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
