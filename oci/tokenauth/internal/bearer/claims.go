package bearer

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// MaxToken is the longest token that is read, in bytes. Servers take headers of 8 to 16 KiB.
const MaxToken = 16 << 10

// Claims are what a token says of itself.
type Claims struct {
	// Audience is for whom it is.
	Audience []string
	// Access is what it can do.
	Access []Entry
	// Expires and NotBefore are its life, by its server's clock; zero: it doesn't say. IssuedAt is when it was made.
	Expires, NotBefore, IssuedAt time.Time
	// ID is its jti, if that is short and plain.
	ID string
}

// Entry is something that a token can do.
type Entry struct {
	Type, Name string
	Actions    []string
}

// UnreadableError is a token that doesn't say what it can do, or not in a way that all readers understand alike. Its text holds no part of
// the token.
type UnreadableError struct{ Reason string }

func (e *UnreadableError) Error() string { return "the token " + e.Reason }

func unreadable(format string, args ...any) error {
	return &UnreadableError{fmt.Sprintf(format, args...)}
}

// Reader reads tokens. The zero Reader is ready; it is safe for concurrent use.
type Reader struct {
	header atomic.Pointer[string] // the last that was found right: a server's are alike
}

// Read reads a token. Its errors are [*UnreadableError].
func (r *Reader) Read(token string) (Claims, error) {
	if len(token) > MaxToken {
		return Claims{}, unreadable("is longer than %d characters", MaxToken)
	}
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok || signature == "" || strings.Trim(signature, alphabet) != "" {
		return Claims{}, unreadable("isn't a JWT: it doesn't say what it can do")
	}
	if known := r.header.Load(); known == nil || *known != header {
		if err := readHeader(header); err != nil {
			return Claims{}, unreadable("isn't a JWT whose header can be read")
		}
		r.header.Store(&header)
	}
	text, err := decode(payload)
	if err != nil {
		return Claims{}, unreadable("isn't a JWT whose claims can be read")
	}
	return read(text)
}

// readHeader looks whether a header lets the payload be what it seems to be.
func readHeader(header string) error {
	text, err := decode(header)
	if err != nil {
		return err
	}
	return Members(text, func(key, _ string) error {
		if strings.EqualFold(key, "crit") || strings.EqualFold(key, "b64") || strings.EqualFold(key, "zip") { // it might be read otherwise
			return errShape
		}
		return nil
	})
}

// Expiry is when a token ends; zero if it doesn't say. Nothing else of it is looked at.
func Expiry(token string) (ends time.Time) {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	if text, err := decode(payload); err == nil && len(token) <= 4*MaxToken {
		_ = Members(text, func(key, value string) error {
			if key == "exp" {
				ends, _ = moment(value)
			}
			return nil
		})
	}
	return ends
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// decode decodes a part of a JWT, which has to be JSON.
func decode(part string) (string, error) {
	if strings.ContainsAny(part, "\r\n") { // which base64 skips
		return "", errShape
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return "", err
	}
	text := string(decoded)
	if !Valid(text) {
		return "", errShape
	}
	return text, nil
}

// The claims that count here. A member that differs from one in case alone might be taken for it: Go's encoding/json does.
var claimNames = []string{"aud", "access", "exp", "nbf", "iat", "jti"}

func read(text string) (Claims, error) {
	var c Claims
	var seen [8]bool
	err := Members(text, func(key, value string) error {
		i := named(claimNames, key)
		if i < 0 {
			return nil
		}
		if seen[i] || key != claimNames[i] {
			return unreadable("has its claim %s twice, or written otherwise", claimNames[i])
		}
		seen[i] = true
		var err error
		switch key {
		case "aud":
			c.Audience, err = oneOrMany(value)
		case "access":
			if value != "null" {
				c.Access, err = entries(value)
			}
		case "exp":
			c.Expires, err = moment(value)
		case "nbf":
			c.NotBefore, err = moment(value)
		case "iat":
			c.IssuedAt, err = moment(value)
		case "jti":
			if id, textual := Text(value); textual == nil && len(id) <= 64 && strings.Trim(id, alphabet) == "" {
				c.ID = id
			}
		}
		if problem := (*UnreadableError)(nil); err != nil && !errors.As(err, &problem) {
			err = unreadable("has a claim %s that can't be read", key)
		}
		return err
	})
	switch problem := (*UnreadableError)(nil); {
	case errors.As(err, &problem):
		return Claims{}, err
	case err != nil:
		return Claims{}, unreadable("isn't a JWT whose claims are an object")
	case !seen[slices.Index(claimNames, "access")]:
		return Claims{}, unreadable("has no claim named access: it doesn't say what it can do")
	}
	return c, nil
}

// named is which of names a key is, or might be taken for; negative for none.
func named(names []string, key string) int {
	if i := slices.Index(names, key); i >= 0 || !strings.ContainsFunc(key, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return i
	}
	return slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, key) })
}

func oneOrMany(value string) ([]string, error) {
	if one, err := Text(value); err == nil {
		return []string{one}, nil
	}
	return texts(value)
}

func texts(value string) (all []string, err error) {
	all = make([]string, 0, 2)
	err = elements(value, func(element string) error {
		text, err := Text(element)
		all = append(all, text)
		return err
	})
	return all, err
}

var entryNames = []string{"type", "name", "actions"}

func entries(value string) (all []Entry, err error) {
	all = make([]Entry, 0, 1)
	err = elements(value, func(element string) error {
		var e Entry
		var seen [3]bool
		err := Members(element, func(key, value string) error {
			i := named(entryNames, key)
			if i < 0 {
				return nil // parameters, meta, class
			}
			if seen[i] || key != entryNames[i] {
				return unreadable("has %s twice in an entry of its claim access, or written otherwise", entryNames[i])
			}
			seen[i] = true
			var err error
			switch key {
			case "type":
				e.Type, err = Text(value)
			case "name":
				e.Name, err = Text(value)
			case "actions":
				if value != "null" {
					e.Actions, err = texts(value)
				}
			}
			return err
		})
		if err == nil && seen != [3]bool{true, true, true} {
			err = errShape
		}
		all = append(all, e)
		return err
	})
	return all, err
}

// farthest is a time that no clock shows. What is later counts as that.
const farthest = 1 << 36

// moment reads a time in seconds, maybe with a fraction, which is cut off.
func moment(value string) (time.Time, error) {
	seconds, err := strconv.ParseFloat(value, 64)
	if math.IsInf(seconds, 0) {
		err = nil // too large
	}
	if err != nil || math.IsNaN(seconds) {
		return time.Time{}, errShape
	}
	return time.Unix(int64(math.Floor(max(min(seconds, farthest), -farthest))), 0), nil
}
