package scrub

import (
	"strings"
	"unicode"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Redact takes the names out of a text of our own, of several lines, that hold a piece of a secret.
func Redact(text string, secrets []string) string {
	text = without(text, secrets)
	if len(secrets) == 0 || !holds(text, secrets, layers) {
		return text
	}
	var b strings.Builder
	for text != "" {
		n := strings.IndexFunc(text, unicode.IsSpace)
		switch {
		case n < 0:
			n = len(text)
		case n == 0:
			b.WriteByte(text[0])
			text = text[1:]
			continue
		}
		if word := text[:n]; !ofWords(strings.Trim(word, marks), nil) && holds(word, secrets, layers) {
			b.WriteString(provider.Redacted)
		} else {
			b.WriteString(word)
		}
		text = text[n:]
	}
	return b.String()
}
