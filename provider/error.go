package provider

import (
	"log/slog"
	"strings"
	"time"
)

// An Error is what providers fail with. No field of it ever holds a secret.
type Error struct {
	// Kind classifies the failure; errors.Is(err, kind) reports true for it.
	Kind Kind
	// Op is what was being done, as "assume push role".
	Op string
	// Project is the project it was done for, if it was for one.
	Project string
	// Hint says, in an operator's words, what likely causes this and what to do. It may be empty. It isn't for tenants.
	Hint string
	// RetryAfter is how long to wait before asking again; zero if the upstream didn't say.
	RetryAfter time.Duration
	// Details are facts to log, such as the upstream's request id.
	Details []slog.Attr
	// Err is the cause. It may be nil.
	Err error
}

// Error returns operation, project, kind, cause and hint in one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op)
		if e.Project != "" {
			b.WriteString(" for project " + e.Project)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Kind.Error())
	if e.Err != nil && e.Err != error(e.Kind) {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (hint: " + e.Hint + ")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's kind.
func (e *Error) Is(target error) bool {
	kind, ok := target.(Kind)
	return ok && kind == e.Kind
}

// LogValue implements [slog.LogValuer]: a group of the error's fields.
func (e *Error) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("kind", string(e.Kind)), slog.String("message", e.Error())}
	if len(e.Details) > 0 {
		attrs = append(attrs, slog.GroupAttrs("details", e.Details...))
	}
	return slog.GroupValue(attrs...)
}
