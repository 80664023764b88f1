// Package keyset is the keys of an OIDC issuer: what a key set has that is of use, what verifies by it, and how it is kept and renewed.
package keyset

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"math/big"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	maxKeys    = 64
	minRSABits = 2048
	maxRSABits = 8192 // more costs a caller nothing, and us much
	maxSame    = 4    // keys of one name that are tried: likewise
)

// Algorithms are all that tokens may be signed with: asymmetric ones.
var Algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// Parse returns the usable keys of a JSON Web Key Set. What it doesn't understand it leaves out (RFC 7517, section 5); a set that has nothing to offer is an
// error, as the issuer can't mean it.
func Parse(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &set) != nil || set.Keys == nil {
		return nil, errors.New("the answer isn't a key set")
	}
	if len(set.Keys) > maxKeys {
		return nil, errors.New("the key set has more than 64 keys")
	}
	var usable []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) == nil && good(key) {
			usable = append(usable, key)
		}
	}
	if usable == nil {
		return nil, ErrNone
	}
	return usable, nil
}

// ErrNone is that of a set without one.
var ErrNone = errors.New("the key set has no key that tokens may be signed with: RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519")

// good reports whether a key may sign tokens: it is public, not weak, and not for something else.
func good(key jose.JSONWebKey) bool {
	if key.Use != "" && key.Use != "sig" {
		return false
	}
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSABits && k.N.BitLen() <= maxRSABits && k.E >= 3 && k.E%2 == 1
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return key.Valid()
	}
	return false
}

// fits reports whether a signature by alg can be the key's.
func fits(key jose.JSONWebKey, alg string) bool {
	if key.Algorithm != "" && key.Algorithm != alg {
		return false
	}
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return alg == "ES256"
		case elliptic.P384():
			return alg == "ES384"
		case elliptic.P521():
			return alg == "ES512"
		}
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// Fitting are the keys that a token names. One that names none may be meant for the only one that fits, and one whose name many have is meant for none.
func Fitting(keys []jose.JSONWebKey, kid, alg string) []crypto.PublicKey {
	var found []crypto.PublicKey
	for _, key := range keys {
		if fits(key, alg) && (kid == "" || key.KeyID == kid) {
			found = append(found, key.Key)
		}
	}
	if kid == "" && len(found) > 1 || len(found) > maxSame {
		return nil
	}
	return found
}

// Signed reports whether this is the key's signature of a text, by RFC 7518 and RFC 8037. The key fits alg.
func Signed(text string, key crypto.PublicKey, alg string, signature []byte) bool {
	if key, ok := key.(ed25519.PublicKey); ok {
		return ed25519.Verify(key, []byte(text), signature)
	}
	var hash crypto.Hash
	switch alg[2:] {
	case "256":
		hash = crypto.SHA256
	case "384":
		hash = crypto.SHA384
	case "512":
		hash = crypto.SHA512
	default:
		return false
	}
	h := hash.New()
	h.Write([]byte(text))
	sum := h.Sum(nil)
	switch key := key.(type) {
	case *rsa.PublicKey:
		if strings.HasPrefix(alg, "PS") {
			return rsa.VerifyPSS(key, hash, sum, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(key, hash, sum, signature) == nil
	case *ecdsa.PublicKey:
		size := (key.Curve.Params().BitSize + 7) / 8
		if len(signature) != 2*size {
			return false
		}
		return ecdsa.Verify(key, sum, new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:]))
	}
	return false
}
