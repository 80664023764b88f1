package configload

import (
	"strconv"
	"strings"
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
