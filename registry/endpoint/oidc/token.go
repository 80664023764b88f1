package oidc

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc/internal/keyset"
)

const (
	leeway  = time.Minute
	maxLife = 24 * time.Hour
)

// token is what a token says, whether or not it is true.
type token struct {
	raw       string
	alg, kid  string
	header    claims
	payload   []byte
	signature []byte // of raw before the last dot
	claims    claims
	issuer    string
	subject   string
	expires   time.Time
}

// parse reads a token in its compact form, RFC 7515. Its errors quote nothing.
func parse(raw string) (*token, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 || parts[2] == "" {
		return nil, errors.New("it isn't a signed JWT")
	}
	header, ok := decode(parts[0])
	if !ok {
		return nil, errors.New("its header isn't base64url")
	}
	t := &token{raw: raw}
	if t.payload, ok = decode(parts[1]); !ok {
		return nil, errors.New("its claims aren't base64url")
	}
	if t.signature, ok = decode(parts[2]); !ok {
		return nil, errors.New("its signature isn't base64url")
	}
	var err error
	if t.header, err = parseClaims(header); err != nil {
		return nil, errors.New("its header isn't a JSON object, or names something twice")
	}
	if _, critical := t.header["crit"]; critical {
		return nil, errors.New("its header demands an extension")
	}
	if t.alg, _ = t.header["alg"].(string); !slices.Contains(keyset.Algorithms, t.alg) {
		return nil, errors.New("its algorithm isn't an asymmetric one that is accepted")
	}
	if kid, named := t.header["kid"]; named {
		if t.kid, _ = kid.(string); t.kid == "" {
			return nil, errors.New("its kid isn't a key's name")
		}
	}
	if t.claims, err = parseClaims(t.payload); err != nil {
		return nil, err
	}
	if t.issuer, ok = t.claims["iss"].(string); !ok {
		return nil, errors.New("it names no issuer")
	}
	if t.subject, ok = t.claims["sub"].(string); !ok || t.subject == "" {
		return nil, errors.New("it has no sub")
	}
	return t, nil
}

// plain reports whether a token has nothing in which go-oidc and go-jose look at more than parse does, or read it in another way: a header of the common
// names alone, and claims whose names are nobody's after folding case, and refer to no other source.
func (t *token) plain() bool {
	for name, value := range t.header {
		if _, ok := value.(string); !ok || !slices.Contains(commonHeaders, name) {
			return false
		}
	}
	for name, value := range t.claims {
		if strings.HasPrefix(name, "_claim") || strings.ContainsFunc(name, func(r rune) bool { return 'A' <= r && r <= 'Z' || r >= utf8.RuneSelf }) {
			return false
		}
		if _, ok := value.(string); !ok && (name == "nonce" || name == "at_hash") {
			return false
		}
	}
	return true
}

var commonHeaders = []string{"alg", "kid", "typ", "x5t"}

var strict = base64.RawURLEncoding.Strict()

// decode is strict: another spelling of a token would be another token to whoever remembers it.
func decode(part string) ([]byte, bool) {
	if strings.Contains(part, "\r") || strings.Contains(part, "\n") { // which the decoder skips
		return nil, false
	}
	b, err := strict.DecodeString(part)
	return b, err == nil
}

// checkAudience compares the audience, of which there has to be one.
func (t *token) checkAudience(audience string) error {
	switch aud := t.claims["aud"].(type) {
	case string:
		if aud != audience {
			return errors.New("its audience isn't this service's")
		}
	case []any:
		if len(aud) != 1 {
			return errors.New("it has several audiences, or none")
		}
		if one, ok := aud[0].(string); !ok || one != audience {
			return errors.New("its audience isn't this service's")
		}
	default:
		return errors.New("it has no audience")
	}
	return nil
}

// checkTimes reads and compares the times.
func (t *token) checkTimes(now time.Time) error {
	var ok bool
	if t.expires, ok = t.time("exp"); !ok {
		return errors.New("it has no exp, or none that is a time")
	}
	issued, ok := t.time("iat")
	if !ok {
		return errors.New("it has no iat, or none that is a time")
	}
	notBefore, ok := t.time("nbf")
	if _, there := t.claims["nbf"]; there && !ok {
		return errors.New("its nbf isn't a time")
	}
	switch {
	case now.Add(-leeway).After(t.expires):
		return errors.New("it has expired")
	case issued.After(now.Add(leeway)):
		return errors.New("it was issued in the future: compare the clocks")
	case notBefore.After(now.Add(leeway)):
		return errors.New("it isn't valid yet: compare the clocks")
	case t.expires.Sub(issued) > maxLife:
		return errors.New("it lives longer than 24 hours")
	case t.expires.Before(issued):
		return errors.New("it ends before it begins")
	}
	return nil
}

// time reads a NumericDate, seconds since 1970, perhaps with a fraction.
func (t *token) time(name string) (time.Time, bool) {
	number, ok := t.claims[name].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := number.Float64()
	if err != nil || seconds < 1 || seconds > math.MaxInt32*8 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// Check is one of those that a token goes through, in the order of the constants.
type Check string

const (
	// CheckForm is of what doesn't depend on the configuration: a JWT with an asymmetric algorithm, whose claims can be read in one way.
	CheckForm Check = "form"
	// CheckIssuer is that the token's issuer is configured.
	CheckIssuer Check = "issuer"
	// CheckAudience is that the token is for this service alone.
	CheckAudience Check = "audience"
	// CheckTimes are exp, nbf and iat, by this machine's clock.
	CheckTimes Check = "times"
	// CheckKey is that the key which the token names is the issuer's.
	CheckKey Check = "key"
	// CheckSignature is that this key signed it.
	CheckSignature Check = "signature"
	// CheckRule is that one of the issuer's rules matches.
	CheckRule Check = "rule"
)

// RefusedError says why a token isn't accepted, to an operator. It holds nothing of the token. It is an [endpoint.ErrUnauthenticated].
type RefusedError struct {
	// Issuer is the configured name of the token's issuer, empty if there is none.
	Issuer string
	// Check is the one that failed; those before it didn't.
	Check Check
	// Err is the reason.
	Err error
}

// Error returns issuer and reason in one line.
func (e *RefusedError) Error() string {
	of := ""
	if e.Issuer != "" {
		of = " of " + e.Issuer
	}
	return endpoint.ErrUnauthenticated.Error() + ": OIDC token" + of + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *RefusedError) Unwrap() error { return e.Err }

// Is reports whether target is [endpoint.ErrUnauthenticated].
func (e *RefusedError) Is(target error) bool { return target == endpoint.ErrUnauthenticated }

func refused(issuer string, check Check, why error) error {
	return &RefusedError{Issuer: issuer, Check: check, Err: why}
}
