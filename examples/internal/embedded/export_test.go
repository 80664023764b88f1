package embedded

import (
	"crypto"
	"time"
)

// Read verifies a token as of now.
func (t Tokens) Read(key crypto.PublicKey, token string, now time.Time) error {
	_, err := t.read(key, token, now)
	return err
}
