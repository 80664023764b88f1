package oidc

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json" // names as they are written, and once: encoding/json folds case and takes the last
)

// claims are a token's claims: strings, json.Number, bool, nil, []any and map[string]any.
type claims map[string]any

// parseClaims reads a JSON object. What occurs twice, at any depth, is an error; the error quotes nothing.
func parseClaims(payload []byte) (claims, error) {
	if !utf8.Valid(payload) {
		return nil, errors.New("the claims aren't UTF-8") // a decoder would make one text of many
	}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.SetNumberType(json.UnmarshalJSONNumber)
	var c claims
	if decoder.Decode(&c) != nil || c == nil {
		return nil, errors.New("the claims aren't a JSON object, or name something twice")
	}
	if decoder.Decode(new(any)) != io.EOF {
		return nil, errors.New("something follows the claims")
	}
	if !whole(map[string]any(c)) {
		return nil, errors.New("the claims have half of a surrogate pair, or what replaces such a one")
	}
	return c, nil
}

// whole reports whether no text in v has what decoders put in the place of any character that isn't one: two texts would be one.
func whole(v any) bool {
	switch v := v.(type) {
	case string:
		return !strings.ContainsRune(v, utf8.RuneError)
	case []any:
		for _, element := range v {
			if !whole(element) {
				return false
			}
		}
	case map[string]any:
		for key, value := range v {
			if !whole(key) || !whole(value) {
				return false
			}
		}
	}
	return true
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
