package tokenkeys

import (
	"errors"
	"time"
)

const (
	// Spreading is how long files may take to reach every replica: for that long a new key isn't used, nor an old one dropped.
	Spreading = 10 * time.Minute
	// DefaultLife is how long the certificates of signing keys live.
	DefaultLife = 365 * 24 * time.Hour
)

var (
	// ErrExpired is the error when the signing certificate has ended, and with it every push and pull. [Dir.Rotate] makes a new one.
	ErrExpired = errors.New("the signing certificate has expired")
	// ErrNoAuthorityKey is the error when the authority's key isn't where it is looked for, and a certificate is to be signed.
	ErrNoAuthorityKey = errors.New("the authority's key isn't there")
	// ErrNoKeys is the error when keys are to be replaced and there are none.
	ErrNoKeys = errors.New("there are no keys yet")
)

// EarlyError is the error of a step of a rotation that would make replicas refuse each other's grants, or grants that live.
type EarlyError struct {
	// Until is when the step can be taken.
	Until time.Time
	why   string
}

func (e *EarlyError) Error() string { return e.why + ": wait until " + written(e.Until) }

// stamp is a time as it is kept, to the second: never too early.
func stamp(t time.Time) time.Time { return t.Add(time.Second - 1).Truncate(time.Second) }

// written is a time as the files and messages have it.
func written(t time.Time) string { return t.UTC().Format(time.RFC3339) }
