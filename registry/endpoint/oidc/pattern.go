package oidc

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	maxStars   = 4
	maxPattern = 1024
	anything   = "*" // alone: the claim is there
)

// pattern is a claim's configured value.
type pattern struct {
	text   string
	regexp *regexp.Regexp // nil without a star, and for a lone one
}

// patternProblem says what is wrong with a configured value; "" if nothing is.
func patternProblem(value string) string {
	switch {
	case value == "":
		return `has no value; "*" takes any`
	case len(value) > maxPattern || !utf8.ValidString(value):
		return "must be at most 1024 bytes of UTF-8"
	case strings.Contains(value, "**"):
		return "has two * in a row; one is any text without / and :"
	case strings.Count(value, "*") > maxStars:
		return "has more than four *"
	}
	return ""
}

// newPattern compiles a value that has no problem.
func newPattern(value string) pattern {
	p := pattern{text: value}
	if value != anything && strings.Contains(value, "*") {
		parts := strings.Split(value, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		p.regexp = regexp.MustCompile(`\A` + strings.Join(parts, `[^/:]+`) + `\z`)
	}
	return p
}

func exact(value string) bool { return !strings.Contains(value, "*") }

func (p pattern) matchText(text string) bool {
	switch {
	case p.text == anything:
		return text != ""
	case p.regexp != nil:
		return p.regexp.MatchString(text)
	default:
		return p.text == text
	}
}

// match reports whether a claim's value fits, and the text that does; a list fits where one element does.
func (p pattern) match(v any) (string, bool) {
	if list, ok := v.([]any); ok {
		for _, element := range list {
			if s, ok := text(element); ok && p.matchText(s) {
				return s, true
			}
		}
		return "", false
	}
	s, ok := text(v)
	if !ok {
		_, object := v.(map[string]any)
		return "{…}", object && p.text == anything
	}
	return s, p.matchText(s)
}

// covers reports whether whatever fits other fits p: a star of other's is any text that one of p's may be too.
func (p pattern) covers(other string) bool {
	return p.text == other || p.text == anything || other != anything && p.matchText(other)
}
