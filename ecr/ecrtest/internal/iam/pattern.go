package iam

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Wildcards and bytes that aren't UTF-8, as elements of an expanded pattern. No rune has these values.
const (
	anyRunes rune = -1 - iota // *
	anyRune                   // ?
	badByte                   // in the text only: equals nothing, itself included
)

// A pattern is a value of a policy: text in which policy variables and, where it is used so, wildcards are replaced.
type pattern struct {
	raw   string
	parts []part
}

// A part is either literal text (wildcards included) or a variable.
type part struct {
	text       string
	variable   string // lower-case key; empty for text
	fallback   string // of ${key, 'fallback'}
	hasDefault bool
}

// newPattern splits s at its policy variables. Policies of the version 2008-10-17 have none.
func newPattern(s string, variables bool) pattern {
	p := pattern{raw: s}
	if !variables || !strings.Contains(s, "${") {
		p.parts = []part{{text: s}}
		return p
	}
	for rest := s; rest != ""; {
		start := strings.Index(rest, "${")
		end := -1
		if start >= 0 {
			end = strings.IndexByte(rest[start:], '}')
		}
		if start < 0 || end < 0 {
			p.parts = append(p.parts, part{text: rest})
			break
		}
		if start > 0 {
			p.parts = append(p.parts, part{text: rest[:start]})
		}
		p.parts = append(p.parts, newVariable(rest[start+2:start+end]))
		rest = rest[start+end+1:]
	}
	return p
}

func newVariable(s string) part {
	key, fallback, found := strings.Cut(s, ",")
	v := part{variable: strings.ToLower(strings.TrimSpace(key))}
	fallback = strings.TrimSpace(fallback)
	if found && len(fallback) >= 2 && fallback[0] == '\'' && fallback[len(fallback)-1] == '\'' {
		v.fallback, v.hasDefault = fallback[1:len(fallback)-1], true
	}
	return v
}

// completed is an ARN of a Resource element with * for the parts that it lacks (IAM User Guide, "IAM JSON policy elements:
// Resource").
func (p pattern) completed() pattern {
	colons := 0
	for _, part := range p.parts {
		colons += strings.Count(part.text, ":")
	}
	if p.raw == "*" || colons >= 5 {
		return p
	}
	missing := strings.Repeat(":*", 5-colons)
	return pattern{raw: p.raw + missing, parts: append(slices.Clone(p.parts), part{text: missing})}
}

// expand replaces the variables by their values in ctx. What a variable stands for is always literal: a tag whose value
// is "*" matches an asterisk only. It reports false when a variable has no single value: a key that holds a list is no
// variable, even with one value (IAM User Guide, "IAM policy elements: Variables and tags").
func (p pattern) expand(ctx Context, wildcards bool) ([]rune, bool) {
	out := make([]rune, 0, len(p.raw))
	for _, part := range p.parts {
		switch part.variable {
		case "":
			for _, r := range part.text {
				switch {
				case wildcards && r == '*':
					r = anyRunes
				case wildcards && r == '?':
					r = anyRune
				}
				out = append(out, r)
			}
		case "*", "?", "$":
			out = append(out, rune(part.variable[0]))
		default:
			values := ctx[part.variable].values
			switch {
			case listed[part.variable]:
				return nil, false
			case len(values) == 1:
				out = append(out, runes(values[0])...)
			case len(values) == 0 && part.hasDefault:
				out = append(out, runes(part.fallback)...)
			default:
				return nil, false
			}
		}
	}
	return out, true
}

// runes splits s into its characters. A byte that isn't UTF-8 becomes badByte, so that two strings which differ only in
// such bytes are never taken for one.
func runes(s string) []rune {
	out := make([]rune, 0, len(s))
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			r = badByte
		}
		out = append(out, r)
		i += size
	}
	return out
}

// Match reports whether s matches pattern, in which * stands for any characters, none included, and ? for exactly one.
// It is case-sensitive.
func Match(pattern, s string) bool {
	p, _ := newPattern(pattern, false).expand(nil, true)
	return match(p, runes(s), false)
}

// match compares s with an expanded pattern in O(len(pattern)·len(s)), by going back to the last * only.
func match(p, s []rune, fold bool) bool {
	var i, j int
	star, mark := -1, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == anyRunes:
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == anyRune || equal(p[i], s[j], fold)):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == anyRunes {
		i++
	}
	return i == len(p)
}

func equal(a, b rune, fold bool) bool {
	if a == badByte || b == badByte {
		return false
	}
	return a == b || fold && unicode.ToLower(a) == unicode.ToLower(b)
}
