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

// nearest returns the known name that name is most likely a slip of, or "" when none is near.
func nearest(name string, known []string) string {
	if len(name) > maxShownKey {
		return ""
	}
	var best string
	bestDistance := -1
	for _, k := range known {
		a, b := foldName(name), foldName(k)
		// A third of the letters may be wrong: more and the guess is noise.
		limit := (max(len(a), len(b)) + 1) / 3
		if len(a)-len(b) > limit || len(b)-len(a) > limit {
			continue
		}
		if d := distance(a, b); d <= limit && (bestDistance < 0 || d < bestDistance) {
			best, bestDistance = k, d
		}
	}
	return best
}

// foldName makes repo_prefix, repo-prefix and RepoPrefix alike.
func foldName(s string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s))
}

// distance is the optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
