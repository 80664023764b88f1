package provider

import "fmt"

// A ConfigError says what is wrong with one key of a configuration section. A section's Validate method returns all of
// them, joined with [errors.Join]; configload adds the file, the line and the section's own key.
//
// It is an [ErrMisconfigured]. Problem must not hold a configured value: it may be a secret in the wrong place.
type ConfigError struct {
	// Key is the key's path inside the section, such as "session_duration" or "cache.max_entries".
	Key string
	// Problem is what is wrong and what would be right, such as "must be 12 digits".
	Problem string
}

// problem is what is wrong with a text, without the text.
type problem string

func (p problem) Error() string         { return string(p) }
func (p problem) ConfigProblem() string { return string(p) }

// NewConfigError returns a [*ConfigError] for key, with a formatted problem.
func NewConfigError(key, format string, args ...any) error {
	return &ConfigError{Key: key, Problem: fmt.Sprintf(format, args...)}
}

// Error returns "key: problem".
func (e *ConfigError) Error() string { return e.Key + ": " + e.Problem }

// Is reports whether target is [ErrMisconfigured].
func (e *ConfigError) Is(target error) bool { return target == error(ErrMisconfigured) }

// ConfigKey returns the key, for configload.
func (e *ConfigError) ConfigKey() string { return e.Key }

// ConfigProblem returns the problem, for configload.
func (e *ConfigError) ConfigProblem() string { return e.Problem }
