package scrub

import (
	"slices"
	"strings"
	"unicode"
)

// marks are what words are put between.
const marks = "\"'`()[]{}<>,.;:!?*"

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
