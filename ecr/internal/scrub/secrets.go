package scrub

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// piece is how many characters of a secret, in a row, are one.
const piece = 8

// holds reports whether text has a piece of one of the secrets. It is for names and ARNs, which hold letters and digits: a secret may be
// there as it is, in base64, or in hex.
func holds(text string, secrets []string, forms func(string) []string) bool {
	text = strings.ToLower(text)
	pieces := map[string]bool{}
	for i := 0; i+piece <= len(text); i++ {
		pieces[text[i:i+piece]] = true
	}
	for _, secret := range secrets {
		if len(secret) >= shortest && len(secret) < piece && strings.Contains(text, strings.ToLower(secret)) {
			return true
		}
		if len(pieces) == 0 || len(secret) < piece {
			continue
		}
		for _, form := range forms(secret) {
			for i := 0; i+piece <= len(form); i++ {
				if pieces[form[i:i+piece]] {
					return true
				}
			}
		}
	}
	return false
}

func forms(secret string) []string {
	list := []string{strings.ToLower(secret), hex.EncodeToString([]byte(secret))}
	for skip := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(secret[skip:]))
		list = append(list, strings.ToLower(text), strings.ToLower(strings.NewReplacer("+", "-", "/", "_").Replace(text)))
	}
	return list
}

// layers are the forms of what a secret may have been written as before: what escapes it, and then base64 or hex of that, which a name can
// be. It is much to compare with, and so for names alone that aren't made of words.
func layers(secret string) []string {
	each := func(format string) string {
		var b strings.Builder
		for _, c := range []byte(secret) {
			fmt.Fprintf(&b, format, c)
		}
		return b.String()
	}
	percent := url.QueryEscape(secret)
	list := forms(secret)
	for _, inner := range []string{
		percent, url.QueryEscape(percent), each("%%%02X"), each(`\u%04x`), each("&#%d;"), html.EscapeString(secret),
		strings.ReplaceAll(secret, "/", `\/`), strings.ToUpper(secret), hex.EncodeToString([]byte(secret)),
	} {
		list = append(list, forms(inner)...)
	}
	for skip := range min(3, len(secret)) {
		inner := base64.StdEncoding.EncodeToString([]byte(secret[skip:]))
		list = append(list, forms(inner)...)
		list = append(list, forms(strings.NewReplacer("+", "-", "/", "_").Replace(inner))...)
	}
	return list
}

// shortest is how short a secret may be: with less, every text would hold it.
const shortest = 4

// without takes out secrets that are there as they are: those, too, that are made of words.
func without(text string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) >= shortest {
			text = strings.ReplaceAll(text, secret, provider.Redacted)
		}
	}
	return text
}
