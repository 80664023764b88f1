package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// claims are a token's claims: strings, json.Number, bool, nil, []any and map[string]any.
type claims map[string]any

// parseClaims reads a JSON object. What occurs twice, at any depth, is an error; the error quotes nothing.
func parseClaims(payload []byte) (claims, error) {
	if !utf8.Valid(payload) {
		return nil, errors.New("the claims aren't UTF-8") // a decoder would make one text of many
	}
	// Of JSON, all that is left to us is to take apart what is valid: decoders of maps copy each text, fold names or take the last of two.
	r := reader{rest: string(payload)}
	if !json.Valid(payload) || !r.begins('{') {
		return nil, errors.New("the claims aren't a JSON object")
	}
	c := r.object()
	switch {
	case r.twice:
		return nil, errors.New("the claims name something twice")
	case r.broken || bytes.Contains(payload, []byte(replacement)): // decoders put it in the place of any character that isn't one: two texts would be one
		return nil, errors.New("the claims have half of a surrogate pair, or what replaces such a one")
	}
	return c, nil
}

// reader takes valid JSON apart. Texts without escapes are parts of what it reads, and keep it in memory.
type reader struct {
	rest   string
	twice  bool // an object names something twice
	broken bool // a text has half of a surrogate pair, or what replaces one
}

const replacement = string(utf8.RuneError)

// begins skips white space and reports whether this is next.
func (r *reader) begins(with byte) bool {
	for strings.IndexByte(" \t\r\n", r.rest[0]) >= 0 {
		r.skip(1)
	}
	return r.rest[0] == with
}

func (r *reader) skip(n int) { r.rest = r.rest[n:] }

func (r *reader) value() any {
	switch {
	case r.begins('"'):
		return r.text()
	case r.begins('{'):
		return r.object()
	case r.begins('['):
		return r.list()
	}
	literal := r.rest
	if end := strings.IndexAny(literal, ",]} \t\r\n"); end >= 0 {
		literal = literal[:end]
	}
	r.skip(len(literal))
	switch literal {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	}
	return json.Number(literal)
}

func (r *reader) object() map[string]any {
	object := map[string]any{}
	for r.skip(1); !r.begins('}'); { // past { and each comma
		if r.begins(',') {
			r.skip(1)
			r.begins('"')
		}
		name := r.text()
		r.begins(':')
		r.skip(1)
		if _, there := object[name]; there {
			r.twice = true
		}
		object[name] = r.value()
	}
	r.skip(1)
	return object
}

func (r *reader) list() []any {
	list := []any{}
	for r.skip(1); !r.begins(']'); {
		if r.begins(',') {
			r.skip(1)
		}
		list = append(list, r.value())
	}
	r.skip(1)
	return list
}

// text reads a string.
func (r *reader) text() string {
	escaped, end := false, 1
	for ; r.rest[end] != '"'; end++ {
		if r.rest[end] == '\\' {
			escaped = true
			end++
		}
	}
	quoted := r.rest[:end+1]
	r.skip(end + 1)
	if !escaped {
		return quoted[1:end]
	}
	var s string
	if json.Unmarshal([]byte(quoted), &s) != nil || strings.Contains(s, replacement) {
		r.broken = true
	}
	return s
}

const (
	awsClaim     = "https://sts.amazonaws.com/"
	requestTags  = "request_tags" // in awsClaim: what the caller himself wrote
	awsRequested = awsClaim + "/" + requestTags
)

// get returns the claim that key names: the longest claim whose whole name it is, or begins with followed by "/"; the rest, in the same
// way, inside that one.
func (c claims) get(key string) (any, bool) {
	if underRequestTags(key) {
		return nil, false
	}
	return find(c, key)
}

func underRequestTags(key string) bool {
	rest, ok := strings.CutPrefix(key, awsRequested)
	return ok && (rest == "" || rest[0] == '/')
}

func find(object map[string]any, key string) (any, bool) {
	if v, ok := object[key]; ok {
		return v, v != nil
	}
	for end := strings.LastIndexByte(key, '/'); end >= 0; end = strings.LastIndexByte(key[:end], '/') {
		if v, ok := object[key[:end]]; ok {
			inner, ok := v.(map[string]any)
			if !ok {
				return nil, false
			}
			return find(inner, key[end+1:])
		}
	}
	return nil, false
}

// text returns a string as it is, a number or boolean by its text in the token.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}
