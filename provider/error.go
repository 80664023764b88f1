package provider

import (
	"context"
	"errors"
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

// A Kind classifies a failure. It is an error itself, so callers test with errors.Is(err, provider.ErrThrottled), and its
// value is a stable label for metrics and audit events, such as "access_denied".
type Kind string

const (
	// ErrInvalidRequest means: the caller asked for something that makes no sense, such as a malformed project name.
	ErrInvalidRequest Kind = "invalid_request"
	// ErrNotFound means: what was asked for doesn't exist.
	ErrNotFound Kind = "not_found"
	// ErrConflict means: the present state doesn't allow it; it may later.
	ErrConflict Kind = "conflict"
	// ErrNotOurs means: the repository exists but isn't managed by this installation.
	ErrNotOurs Kind = "not_ours"
	// ErrOrphaned means: the repository belonged to a project that is gone.
	ErrOrphaned Kind = "orphaned"
	// ErrAccessDenied means: the upstream refused our identity or its rights.
	ErrAccessDenied Kind = "access_denied"
	// ErrThrottled means: the upstream limits our rate; see [Error].RetryAfter.
	ErrThrottled Kind = "throttled"
	// ErrUnavailable means: the upstream can't be reached or fails on its side.
	ErrUnavailable Kind = "unavailable"
	// ErrTimeout means: there was no answer in time. The context ended, by deadline or by being canceled, or the upstream hung in
	// every attempt.
	ErrTimeout Kind = "timeout"
	// ErrBadResponse means: the upstream answered, but with something that can't be right.
	ErrBadResponse Kind = "bad_response"
	// ErrMisconfigured means: the configuration is wrong; no retry will help.
	ErrMisconfigured Kind = "misconfigured"
	// ErrUnsupported means: this provider, or this form of credential, can't do that.
	ErrUnsupported Kind = "unsupported"
)

// Error returns the kind in words, such as "access denied".
func (k Kind) Error() string { return strings.ReplaceAll(string(k), "_", " ") }

// KindOf returns the kind of err: that of the outermost [Error] or Kind in its tree, [ErrTimeout] for an error of a
// context, and "" for nil and for errors of no kind (bugs, usually).
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return ErrTimeout
	}
	return ""
}
