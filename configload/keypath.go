package configload

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxShownKey bounds how much of an odd key an error shows.
const maxShownKey = 64

// childKey returns the path of a mapping's key: "registry.region", or `tags["a b"]` for a key that isn't a plain name.
func childKey(parent, name string) string {
	if !plainKey(name) {
		if r := []rune(name); len(r) > maxShownKey {
			name = string(r[:maxShownKey]) + "…"
		}
		return parent + "[" + strconv.Quote(name) + "]"
	}
	return joinKey(parent, name)
}

// itemKey returns the path of a sequence's element: "tokens[2]".
func itemKey(parent string, i int) string { return parent + "[" + strconv.Itoa(i) + "]" }

// joinKey appends a relative key path.
func joinKey(parent, relative string) string {
	if parent == "" || relative == "" || relative[0] == '[' {
		return parent + relative
	}
	return parent + "." + relative
}

// within reports whether key is parent or below it. Everything is below "".
func within(key, parent string) bool {
	rest, ok := strings.CutPrefix(key, parent)
	return ok && (parent == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}

// parentKey returns the path of what key is in, "" for the top level. Inside of a quoted name it is no path of anything.
func parentKey(key string) string { return key[:max(strings.LastIndexAny(key, ".["), 0)] }

// namesFrom returns the names by which a text about the key from may speak of the key to: those of to that from doesn't share. There
// are none for another element of a sequence: a rule that names "token" is about its own.
func namesFrom(from, to string) []string {
	apart := func(r rune) bool { return r == '.' || r == '[' }
	here, there := strings.FieldsFunc(from, apart), strings.FieldsFunc(to, apart)
	for len(here) > 0 && len(there) > 0 && here[0] == there[0] {
		here, there = here[1:], there[1:]
	}
	if len(there) > 0 && strings.HasSuffix(there[0], "]") {
		return nil
	}
	return there
}

// hasWord reports whether name is in text and no part of a longer one.
func hasWord(text, name string) bool {
	apart := func(r rune) bool { return r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	return slices.Contains(strings.FieldsFunc(text, apart), name)
}

func plainKey(name string) bool {
	if name == "" || len(name) > maxShownKey {
		return false
	}
	for _, c := range []byte(name) {
		if !isNameByte(c) && c != '-' {
			return false
		}
	}
	return true
}

func isNameByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
