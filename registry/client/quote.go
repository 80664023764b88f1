package client

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	// longestQuote is how much of what a server said is shown.
	longestQuote = 200
	// telling is how much of a secret gives it away.
	telling = 8
)

// quote returns what a server said in quotes, or words in its place where that tells a secret: servers send back what they were sent.
func quote(text string, secrets ...provider.Secret) string {
	short := text
	if len(short) > longestQuote {
		short = short[:longestQuote]
	}
	for _, secret := range secrets {
		if tells(short, secret) {
			return "(not shown: it holds a secret)"
		}
	}
	if short != text {
		return fmt.Sprintf("%+q...", short)
	}
	return fmt.Sprintf("%+q", text)
}

// tells reports whether text has the secret or a piece of it. Case is ignored, as servers change it in names of hosts.
func tells(text string, secret provider.Secret) bool {
	if secret.IsZero() {
		return false
	}
	text, whole := strings.ToLower(text), strings.ToLower(secret.Reveal())
	if len(whole) <= telling {
		return strings.Contains(text, whole)
	}
	for i := 0; i+telling <= len(text); i++ {
		if strings.Contains(whole, text[i:i+telling]) {
			return true
		}
	}
	return false
}

// longestShown is how much of an error's text is shown.
const longestShown = 600

// harmless returns err, or another in its place where its text tells a secret. What isn't printable in it is a ?, for whoever reads lines as commands, or is a terminal: the
// names in a certificate may be anything, and whoever is in between may show one.
func harmless(err error, secrets ...provider.Secret) error {
	text := err.Error()
	for _, secret := range secrets {
		if tells(text, secret) {
			return errors.New("(not shown: it holds a secret)")
		}
	}
	shown := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	if len(shown) > longestShown {
		shown = strings.ToValidUTF8(shown[:longestShown], "") + "..."
	}
	if shown == text {
		return err
	}
	return printed{shown, err}
}

// printed is an error with another text.
type printed struct {
	text string
	err  error
}

func (p printed) Error() string { return p.text }
func (p printed) Unwrap() error { return p.err }
