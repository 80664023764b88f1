package scrub

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// maxLine is how many bytes of a text are shown.
const maxLine = 512

// longToken matches what is longer than any resource's name: session tokens and web identity tokens.
var longToken = regexp.MustCompile(`[A-Za-z0-9+/=_.-]{100,}`)

// Line returns the first line of text, printable, bounded, and without secrets. It is for texts that aren't an upstream's, though they
// may quote one.
func Line(text string, secrets []string) string {
	text, _, _ = strings.Cut(text, "\n")
	text = without(text, secrets)
	text = Printable(longToken.ReplaceAllString(text, provider.Redacted))
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "..."
	}
	return text
}

// Printable returns text with a space for whatever terminals would obey.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) { // which C1 controls and what turns the direction of text aren't: terminals obey both
			return r
		}
		return ' '
	}, text)
}
