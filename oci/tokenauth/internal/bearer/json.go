package bearer

import (
	"encoding/json"
	"errors"
	"strings"
)

// What follows walks JSON that Valid has found valid, without copying it. encoding/json would do, if it told of members that occur
// twice, and took none for another that differs in case.

// errShape is a value of another kind than was asked for.
var errShape = errors.New("another kind of value")

// Members calls do with the members of an object, in order. Keys are decoded; values are not. text has to be valid JSON; what isn't an object is an error.
func Members(text string, do func(key, value string) error) error {
	i := space(text, 0)
	if i >= len(text) || text[i] != '{' {
		return errShape
	}
	for i = space(text, i+1); text[i] != '}'; {
		end := valueEnd(text, i)
		key, err := Text(text[i:end])
		if err != nil {
			return err
		}
		i = space(text, space(text, end)+1) // the colon
		end = valueEnd(text, i)
		if err := do(key, text[i:end]); err != nil {
			return err
		}
		if i = space(text, end); text[i] == ',' {
			i = space(text, i+1)
		}
	}
	return nil
}

// elements calls do with the elements of an array.
func elements(text string, do func(value string) error) error {
	i := space(text, 0)
	if i >= len(text) || text[i] != '[' {
		return errShape
	}
	for i = space(text, i+1); text[i] != ']'; {
		end := valueEnd(text, i)
		if err := do(text[i:end]); err != nil {
			return err
		}
		if i = space(text, end); text[i] == ',' {
			i = space(text, i+1)
		}
	}
	return nil
}

func space(text string, i int) int {
	for i < len(text) && strings.IndexByte(" \t\r\n", text[i]) >= 0 {
		i++
	}
	return i
}

// valueEnd is where the value ends that begins at i.
func valueEnd(text string, i int) int {
	for depth := 0; i < len(text); {
		switch c := text[i]; c {
		case '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			i++
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\r', '\n': // only inside
			i++
			continue
		default:
			for i < len(text) && strings.IndexByte(",:]} \t\r\n", text[i]) < 0 {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// Text decodes a string; an error is that it is none.
func Text(value string) (string, error) {
	if len(value) < 2 || value[0] != '"' {
		return "", errShape
	}
	if inner := value[1 : len(value)-1]; strings.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	var text string
	err := json.Unmarshal([]byte(value), &text)
	return text, err
}
