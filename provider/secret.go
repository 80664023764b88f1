package provider

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what a [Secret] prints as.
const Redacted = "[redacted]"

// A Secret is a text that doesn't print: not with any verb of fmt, not in JSON, YAML or slog, not in a failing test's
// diff. Only [Secret.Reveal] gives it away.
//
// The zero Secret is empty and prints as the empty text. A Secret decodes from text, so it can be a field of a
// configuration. Secrets are immutable; compare them with [Secret.Equal].
type Secret struct {
	// A closure, as a string or a pointer to one shows when a printer walks unexported fields.
	reveal func() string
}

// NewSecret returns a Secret that holds text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return text }}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether s is empty.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Equal compares in a time that tells nothing of where the texts differ; it takes longer for longer texts.
func (s Secret) Equal(other Secret) bool {
	a, b := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(other.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns [Redacted], or nothing for an empty Secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return Redacted
}

// Format implements [fmt.Formatter]: every verb prints what String returns.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return s.String() }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String returns, so that encoders can't give the text away either.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText makes s hold text, or returns what [Secret.Validate] says of it and leaves s alone.
func (s *Secret) UnmarshalText(text []byte) error {
	read := NewSecret(string(text))
	if err := read.Validate(); err != nil {
		return err
	}
	*s = read
	return nil
}
