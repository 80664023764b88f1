package oidc

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Caller is who a token belongs to, and what it may have. Its zero value may have nothing.
type Caller struct {
	subject  string
	rule     int
	projects []string
	access   provider.Access
	details  []slog.Attr
}

// Subject is the issuer's configured name, a colon, and the token's sub: printable, at most 256 bytes; of what would be longer or isn't printable, the first 200
// bytes and a hash.
func (c Caller) Subject() string { return c.subject }

// Projects are those that the caller may have, of which some may not exist.
func (c Caller) Projects() []string { return slices.Clone(c.projects) }

// Access is the most that the caller may have of its projects; zero is nothing.
func (c Caller) Access() provider.Access { return c.access }

// Details are the issuer, the rule's number in the configuration, from 0, and the claims that decided: attributes of events ([endpoint.Event]).
func (c Caller) Details() []slog.Attr { return slices.Clone(c.details) }

const (
	maxSubject  = 256
	keptSubject = 200
	hashMark    = "~sha256:"
)

// subjectOf names a caller in events and to limits: printable, at most 256 bytes, and nobody else's. What is longer, or isn't printable, or could be
// taken for what is made here, is its first 200 bytes and a hash of the whole.
func subjectOf(name, sub string) string {
	whole := name + ":" + sub
	shown := printable(whole)
	if len(whole) <= maxSubject && shown == whole && !strings.Contains(whole, hashMark) {
		return whole
	}
	hash := sha256.Sum256([]byte(whole))
	return cut(shown, keptSubject) + hashMark + hex.EncodeToString(hash[:16])
}

// printable is text with a ? for each character that isn't.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// cut is text, or as many of its first characters as n bytes hold.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
