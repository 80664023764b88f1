package client

import (
	"errors"
	"fmt"
	"strings"

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

// harmless returns err, or another in its place where its text tells a secret.
func harmless(err error, secrets ...provider.Secret) error {
	for _, secret := range secrets {
		if tells(err.Error(), secret) {
			return errors.New("(not shown: it holds a secret)")
		}
	}
	return err
}
