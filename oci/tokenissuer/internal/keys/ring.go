// Package keys holds the keys of an oci-token-issuer: what signs registry tokens and grants, what verifies grants, and how the files of
// both are read again.
package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// grantType is the header "typ" of a grant.
const grantType = "rise-grant+jwt"

// A Ring is the keys of one moment: the one that signs, and those whose grants are taken. It is immutable, safe for concurrent use and
// prints without secrets.
type Ring struct {
	id       string
	count    int
	chain    chain
	problems []string
	// Closures, as printers walk fields.
	signToken, signShort, signGrant func(payload []byte) (string, error)
	grantKey                        func(id string) []byte
	headerKey                       func(header string) []byte // by a header as grants have it, encoded
}

// A FileError says which of the two files is wrong.
type FileError struct {
	Certificate bool // and not the key
	Problem     string
}

func (e *FileError) Error() string {
	if e.Certificate {
		return "the certificate file " + e.Problem
	}
	return "the key file " + e.Problem
}

// Parse makes a ring of a file of keys and one of certificates, which may be one. The key of the first certificate signs; it has to be
// valid at now. service is the token service that grants are for. Errors are [*FileError] and hold nothing of the files.
func Parse(keyFile, certificateFile []byte, service string, now time.Time) (*Ring, error) {
	keys, err := parseKeys(keyFile)
	if err != nil {
		return nil, &FileError{Problem: err.Error()}
	}
	certificates, err := parseCertificates(certificateFile)
	if err != nil {
		return nil, &FileError{Certificate: true, Problem: err.Error()}
	}
	signing := slices.IndexFunc(keys, func(k key) bool { return isOf(certificates[0], k) })
	if signing < 0 {
		problem := "begins with a certificate of none of the keys"
		if slices.ContainsFunc(certificates, func(c *x509.Certificate) bool {
			return slices.ContainsFunc(keys, func(k key) bool { return isOf(c, k) })
		}) {
			problem += ": the signing key's has to come first, before its authorities'"
		}
		return nil, &FileError{Certificate: true, Problem: problem}
	}
	c, err := chainOf(certificates)
	switch {
	case err != nil:
		return nil, &FileError{Certificate: true, Problem: err.Error()}
	case now.Before(c.begins):
		return nil, &FileError{Certificate: true, Problem: "has a certificate that isn't valid yet: is this machine's clock right?"}
	case !now.Before(c.ends):
		return nil, &FileError{Certificate: true, Problem: "has a certificate that has expired"}
	}
	r, err := newRing(keys, signing, c, service)
	if err != nil {
		return nil, &FileError{Problem: err.Error()}
	}
	return r, nil
}

func isOf(c *x509.Certificate, k key) bool {
	switch public := k.private.Public().(type) {
	case *ecdsa.PublicKey:
		return public.Equal(c.PublicKey)
	case *rsa.PublicKey:
		return public.Equal(c.PublicKey)
	}
	return false
}

func newRing(keys []key, signing int, c chain, service string) (*Ring, error) {
	hmacs, headers := map[string][]byte{}, map[string][]byte{}
	var id string
	var grant func([]byte) (string, error)
	for i, k := range keys {
		thumbprint, err := thumbprintOf(k)
		if err != nil {
			return nil, err
		}
		if hmacs[thumbprint], err = grantKeyOf(k, service); err != nil {
			return nil, err
		}
		sign, err := signer(jose.SigningKey{Algorithm: jose.HS256, Key: hmacs[thumbprint]},
			(&jose.SignerOptions{}).WithType(grantType).WithHeader("kid", thumbprint))
		if err != nil {
			return nil, err
		}
		empty, err := sign(nil)
		if err != nil {
			return nil, err
		}
		header, _, _ := strings.Cut(empty, ".")
		headers[header] = hmacs[thumbprint]
		if i == signing {
			id, grant = thumbprint, sign
		}
	}
	tokenWith := func(x5c []string) (func([]byte) (string, error), error) {
		return signer(jose.SigningKey{Algorithm: keys[signing].algorithm, Key: keys[signing].private},
			(&jose.SignerOptions{}).WithType("JWT").WithHeader("x5c", x5c))
	}
	token, err := tokenWith(c.x5c())
	if err != nil {
		return nil, err
	}
	short, err := tokenWith(c.x5c()[:1])
	if err != nil {
		return nil, err
	}
	return &Ring{
		id: id, count: len(hmacs), chain: c, problems: c.warnings(),
		signToken: token, signShort: short, signGrant: grant, grantKey: func(id string) []byte { return hmacs[id] },
		headerKey: func(header string) []byte { return headers[header] },
	}, nil
}

// thumbprintOf is RFC 7638's, of the public key.
func thumbprintOf(k key) (string, error) {
	hash, err := (&jose.JSONWebKey{Key: k.private.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", errors.New("holds a key that has no thumbprint")
	}
	return base64.RawURLEncoding.EncodeToString(hash), nil
}

// grantKeyOf is what grants are signed with: nothing that a registry can verify.
func grantKeyOf(k key, service string) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, errors.New("holds a key that can't be written")
	}
	return hkdf.Key(sha256.New, der, nil, "rise-registry-go grant v1 "+service, 32)
}

func signer(k jose.SigningKey, o *jose.SignerOptions) (func([]byte) (string, error), error) {
	s, err := jose.NewSigner(k, o)
	if err != nil {
		return nil, errors.New("holds a key that can't sign")
	}
	empty, err := s.Sign(nil)
	if err != nil {
		return nil, errors.New("holds a key that can't sign")
	}
	text, err := empty.CompactSerialize()
	if err != nil {
		return nil, errors.New("holds a key that can't sign")
	}
	header, _, _ := strings.Cut(text, ".") // the same for each: writing it is most of what a signature by go-jose takes beside the cryptography
	encode := base64.RawURLEncoding.EncodeToString
	return func(payload []byte) (string, error) {
		input := header + "." + encode(payload)
		signature, err := sign(k, []byte(input))
		if err != nil {
			return "", fmt.Errorf("sign: %w", err)
		}
		return input + "." + encode(signature), nil
	}, nil
}

// sign is a signature of RFC 7518, by one of the three algorithms that keys here have.
func sign(k jose.SigningKey, input []byte) ([]byte, error) {
	hash := sha256.Sum256(input)
	switch key := k.Key.(type) {
	case []byte: // HS256
		mac := hmac.New(sha256.New, key)
		mac.Write(input)
		return mac.Sum(nil), nil
	case *ecdsa.PrivateKey: // ES256
		r, s, err := ecdsa.Sign(rand.Reader, key, hash[:])
		if err != nil {
			return nil, err
		}
		signature := make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return signature, nil
	case *rsa.PrivateKey: // RS256
		return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, hash[:])
	}
	return nil, fmt.Errorf("a key that is a %T", k.Key)
}

// ID is the signing key's RFC 7638 thumbprint.
func (r *Ring) ID() string { return r.id }

// Count is how many keys there are.
func (r *Ring) Count() int { return r.count }

// Ends is when the signing certificate ends, or the first of its authorities as far as they are known.
func (r *Ring) Ends() time.Time { return r.chain.ends }

// Life is how long all certificates of the chain are valid together.
func (r *Ring) Life() time.Duration { return r.chain.ends.Sub(r.chain.begins) }

// Warnings are what is wrong with the signing certificate though it works, each as the end of a sentence.
func (r *Ring) Warnings() []string { return r.problems }

// Authority is who signed the last certificate of the chain: its name and, in hexadecimal, its key's identifier, which may be empty.
func (r *Ring) Authority() (name, keyID string) {
	last := r.chain.certificates[len(r.chain.certificates)-1]
	return last.Issuer.String(), hex.EncodeToString(last.AuthorityKeyId)
}

// Short returns a ring whose tokens carry the signing certificate alone, without the authorities between it and the registry's. ok is false if
// there are none.
func (r *Ring) Short() (short *Ring, ok bool) {
	if len(r.chain.certificates) < 2 {
		return nil, false
	}
	alone := *r
	alone.signToken = r.signShort
	return &alone, true
}

// SignToken makes a registry token of claims.
func (r *Ring) SignToken(claims []byte) (string, error) { return r.signToken(claims) }

// SignGrant makes a grant of claims.
func (r *Ring) SignGrant(claims []byte) (string, error) { return r.signGrant(claims) }

// Why a grant doesn't verify. Whoever shows it gets one answer for all.
var (
	ErrMalformed  = errors.New("the grant is malformed")
	ErrUnknownKey = errors.New("the grant was made with a key that isn't among these: another installation's, or one that was dropped")
	ErrForged     = errors.New("the grant's signature is wrong: it was changed, or forged")
)

// VerifyGrant returns the claims of a grant that a key of the ring signed.
func (r *Ring) VerifyGrant(grant string) ([]byte, error) {
	if claims, ok := r.verifyOwn(grant); ok {
		return claims, nil
	}
	parsed, err := jose.ParseSignedCompact(grant, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil || len(parsed.Signatures) != 1 {
		return nil, ErrMalformed // go-jose's text may quote the grant
	}
	header := parsed.Signatures[0].Protected
	if typ, ok := header.ExtraHeaders[jose.HeaderType].(string); !ok || typ != grantType || len(header.ExtraHeaders) != 1 {
		return nil, ErrMalformed
	}
	secret := r.grantKey(header.KeyID)
	if secret == nil {
		return nil, ErrUnknownKey
	}
	claims, err := parsed.Verify(secret)
	if err != nil {
		return nil, ErrForged
	}
	return claims, nil
}

// verifyOwn is for a grant with the very header that this program writes: nothing of it needs reading, which is most of the time.
func (r *Ring) verifyOwn(grant string) (claims []byte, ok bool) {
	end := strings.LastIndexByte(grant, '.')
	header, payload, _ := strings.Cut(grant[:max(end, 0)], ".")
	secret := r.headerKey(header)
	if secret == nil {
		return nil, false
	}
	signature, err := base64.RawURLEncoding.DecodeString(grant[end+1:])
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(grant[:end]))
	if err != nil || !hmac.Equal(mac.Sum(nil), signature) {
		return nil, false
	}
	claims, err = base64.RawURLEncoding.DecodeString(payload)
	return claims, err == nil
}

// IsGrant is the function of that name, which has nothing to read where the header is one of this program's own.
func (r *Ring) IsGrant(password string) bool {
	header, rest, _ := strings.Cut(password, ".")
	return r.headerKey(header) != nil && strings.Contains(rest, ".") || IsGrant(password)
}

// IsGrant reports whether password says that it is a grant, whoever made it and however badly: by its header alone.
func IsGrant(password string) bool {
	first, rest, ok := strings.Cut(password, ".")
	if !ok || !strings.Contains(rest, ".") {
		return false
	}
	decoded, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(first))
	if err != nil {
		return false
	}
	var header struct {
		Type string `json:"typ"`
	}
	if json.Unmarshal(decoded, &header) != nil {
		return false
	}
	typ := strings.ToLower(header.Type) // RFC 7515, section 4.1.9
	return strings.TrimPrefix(typ, "application/") == grantType
}
