package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// texts reads a string or a list of strings that isn't empty.
func texts(raw json.RawMessage) ([]string, error) {
	values, err := list(raw)
	if err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return nil, errors.New("is empty")
	}
	out := make([]string, len(values))
	for i, v := range values {
		if bytes.Equal(v, []byte("null")) || json.Unmarshal(v, &out[i]) != nil {
			return nil, errors.New("must be a string or a list of strings")
		}
	}
	return out, nil
}

// scalars reads a condition's values: strings, numbers and booleans, one or a list.
func scalars(raw json.RawMessage) ([]string, error) {
	values, err := list(raw)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(values))
	for i, v := range values {
		switch {
		case len(v) > 0 && v[0] == '"':
			if err := json.Unmarshal(v, &out[i]); err != nil {
				return nil, err
			}
		case len(v) > 0 && v[0] != '{' && v[0] != '[' && v[0] != 'n':
			out[i] = string(v)
		default:
			return nil, errors.New("values must be strings, numbers or booleans")
		}
	}
	return out, nil
}

// list reads a JSON list, or one value as a list of one.
func list(raw json.RawMessage) ([]json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '[' {
		return []json.RawMessage{raw}, nil
	}
	out := []json.RawMessage{}
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, err
	}
	return out, nil
}

type field struct {
	name  string
	value json.RawMessage
}

// object reads a JSON object in order; a repeated key is an error, which encoding/json would let pass.
func object(raw []byte) ([]field, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	start, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("is no JSON: %w", err)
	}
	if start != json.Delim('{') {
		return nil, errors.New("must be a JSON object")
	}
	var out []field
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("is no JSON: %w", err)
		}
		f := field{name: key.(string)} // an object's key is always a string
		if err := d.Decode(&f.value); err != nil {
			return nil, fmt.Errorf("is no JSON: %w", err)
		}
		if slices.ContainsFunc(out, func(o field) bool { return o.name == f.name }) {
			return nil, fmt.Errorf("%q is there twice", f.name)
		}
		out = append(out, f)
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("is no JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("has text after the JSON object")
	}
	return out, nil
}
