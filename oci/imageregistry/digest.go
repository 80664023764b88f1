package imageregistry

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
)

// Digests are strings, as the specification writes them.
var digestPattern = regexp.MustCompile(`^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)

func isDigest(s string) bool { return digestPattern.MatchString(s) }

// canonicalDigest is what content is called where the client doesn't choose.
func canonicalDigest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// checkDigest compares content with the digest that the client says it has.
func checkDigest(digest string, content []byte) *Error {
	is := canonicalDigest
	if strings.HasPrefix(digest, "sha512:") {
		is = func(content []byte) string {
			sum := sha512.Sum512(content)
			return "sha512:" + hex.EncodeToString(sum[:])
		}
	}
	if actual := is(content); actual != digest {
		return errorf(http.StatusBadRequest, "DIGEST_INVALID", "the content's digest is %s, not %s", actual, digest)
	}
	return nil
}

func badDigest(s string) *Error {
	return errorf(http.StatusBadRequest, "DIGEST_INVALID", "%q is no digest by sha256 or sha512", s)
}
