package provider

import (
	"context"
	"errors"
	"strings"
)

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
