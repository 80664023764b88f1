package identity

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
)

// randomBytes comes from crypto/rand, which never fails.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func randomSecret(n int) string { return base64.StdEncoding.EncodeToString(randomBytes(n)) }

// randomID makes ids such as AWS's AKIA…, AROA…: the prefix and 16 characters.
func randomID(prefix string) string {
	return prefix + base32.StdEncoding.EncodeToString(randomBytes(10))
}
