package ecr

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// What upstreams say is shown word by word, as far as AWS says it: its vocabulary, identifiers made of it (DurationSeconds,
// ecr:PutImage), ARNs, numbers and times. Anything else may be a secret that was sent and comes back, in whatever encoding, whole or
// in part. What we look for isn't a list of secrets: what a proxy or a credentials endpoint holds, nobody knows here.

var (
	shownNumber = regexp.MustCompile(`^[0-9]{1,7}(?:\.[0-9]{1,6})?$`)
	shownTime   = regexp.MustCompile(`^(?:[0-9]{8}T[0-9]{6}Z|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2}))?)$`)
	shownARN    = regexp.MustCompile(`^arn:aws(?:-[a-z]{1,8}){0,3}:(?:iam|sts|ecr|kms|organizations|signer|sso):[a-z0-9-]{0,24}:(?:[0-9]{12}|aws)?:[A-Za-z0-9+=,.@_/*-]{1,400}$`)
	// separators are more than AWS has in a row; base64 may have.
	separators = regexp.MustCompile(`[^A-Za-z0-9]{5}`)
	// longRun is longer than a name's part without a mark in between: session names end in 26 such characters.
	longRun = regexp.MustCompile(`[A-Za-z0-9+=]{28,}`)
	// shownID is how STS, ECR and SSO number requests.
	shownID  = regexp.MustCompile(`^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	shownKey = regexp.MustCompile(`^[A-Z0-9]{16,32}$`)
)

// said returns the first line of what an upstream said, without anything that isn't AWS's. known are names of ours that it may hold.
func said(text string, secrets []string, known ...string) string {
	text, _, _ = strings.Cut(text, "\n")
	text = without(text, secrets)
	var list []string
	length := 0
	for word := range strings.FieldsSeq(printable(text)) {
		if !shown(word, secrets, known) {
			if len(list) > 0 && list[len(list)-1] == provider.Redacted {
				continue
			}
			word = provider.Redacted
		}
		if length += len(word) + 1; length > maxErrorText {
			list = append(list, "...")
			break
		}
		list = append(list, word)
	}
	return strings.Join(list, " ")
}

// marks are what words are put between.
const marks = "\"'`()[]{}<>,.;:!?*"

func shown(word string, secrets, known []string) bool {
	core := strings.Trim(word, marks)
	if separators.MatchString(word) {
		return false
	}
	if core == "" || shownNumber.MatchString(core) || shownTime.MatchString(core) {
		return true
	}
	if shownARN.MatchString(core) {
		name := core[strings.LastIndexByte(core, ':')+1:]
		return !longRun.MatchString(name) && !holds(core, secrets, forms) && (ofWords(name, known) || !holds(name, secrets, layers))
	}
	for _, name := range known {
		if name != "" && core == name {
			return true
		}
	}
	return ofWords(core, known)
}

func ofWords(core string, known []string) bool {
	for part := range strings.FieldsFuncSeq(core, func(r rune) bool { return strings.ContainsRune("-_/:=+"+marks, r) }) {
		if !inVocabulary(part) && !slices.Contains(known, part) {
			return false
		}
	}
	return true
}

// inVocabulary takes words, numbers, and what is written together of words: imageTag, SHA256, OIDCProvider.
func inVocabulary(part string) bool {
	words := vocabulary()
	if words[strings.ToLower(part)] {
		return true
	}
	for rest := part; rest != ""; {
		n := segment(rest)
		if word := strings.ToLower(rest[:n]); (n < 2 || !words[word]) && !unicode.IsDigit(rune(rest[0])) || n > 20 {
			return false
		}
		if unicode.IsDigit(rune(rest[0])) && n >= piece {
			return false
		}
		rest = rest[n:]
	}
	return true
}

// segment is the length of the first word of what is written together: digits, capitals before a capitalized word, or a word.
func segment(s string) int {
	lower := func(c byte) bool { return c >= 'a' && c <= 'z' || c == '\'' }
	upper := func(c byte) bool { return c >= 'A' && c <= 'Z' }
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	n := 1
	switch {
	case digit(s[0]):
		for n < len(s) && digit(s[n]) {
			n++
		}
	case upper(s[0]) && n < len(s) && upper(s[n]):
		for n < len(s) && upper(s[n]) {
			n++
		}
		if n < len(s) && lower(s[n]) {
			n--
		}
	default:
		for n < len(s) && lower(s[n]) {
			n++
		}
	}
	return n
}

// saidCode is an error code, which is one word.
func saidCode(code string) string {
	if inVocabulary(code) {
		return code
	}
	return provider.Redacted
}

// saidID is a request's number.
func saidID(id string) string {
	if id == "" || shownID.MatchString(id) {
		return id
	}
	return provider.Redacted
}

// saidKey is an access key id, which isn't secret.
func saidKey(id string, secrets []string) string {
	if shownKey.MatchString(id) && !holds(id, secrets, forms) {
		return id
	}
	return provider.Redacted
}

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

// redact takes the names out of a text of our own, of several lines, that hold a piece of a secret.
func redact(text string, secrets []string) string {
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
