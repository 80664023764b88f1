package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

var errNoObject = errors.New("isn't a JSON object")

// members returns the members of a JSON object, and nothing for null. encoding/json would take names in any case, and the last of
// several: what then is meant, two readers read differently. Errors are the end of a sentence and quote nothing.
func members(object []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(object) {
		return nil, errNoObject
	}
	decoder := json.NewDecoder(bytes.NewReader(object))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errNoObject
	}
	m := map[string]json.RawMessage{}
	for decoder.More() {
		var value json.RawMessage
		key, err := decoder.Token()
		if err != nil || decoder.Decode(&value) != nil {
			return nil, errNoObject
		}
		name, ok := key.(string)
		if !ok {
			return nil, errNoObject
		}
		if _, twice := m[name]; twice {
			return nil, errors.New("has a member twice")
		}
		m[name] = value
	}
	if end, err := decoder.Token(); err != nil || end != json.Delim('}') {
		return nil, errNoObject
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("goes on after its end")
	}
	return m, nil
}

// text returns the member name, which has to be a string, or may be absent.
func text(m map[string]json.RawMessage, name string) (value string, ok bool) {
	raw, ok := m[name]
	if !ok || len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &value) != nil {
		return "", false
	}
	return value, true
}

// absent reports whether there is no member name, or it is null.
func absent(m map[string]json.RawMessage, name string) bool {
	raw, ok := m[name]
	return !ok || string(raw) == "null"
}
