package provider

import (
	"errors"
	"fmt"
	"io"
)

// As finds a capability, or a concrete provider type, in p: it returns p itself if that is a T, else the first one found
// by following the Unwrap() Provider methods of decorators, outermost first.
func As[T any](p Provider) (T, bool) {
	for p != nil {
		if t, ok := p.(T); ok {
			return t, true
		}
		p = unwrap(p)
	}
	var none T
	return none, false
}

// Close ends what p keeps running or open. It closes p and then everything that p wraps, each of them only if it is an
// [io.Closer]; so a decorator's Close leaves what it wraps alone. It returns all their errors, joined.
func Close(p Provider) error {
	var errs []error
	for ; p != nil; p = unwrap(p) {
		if c, ok := p.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

func unwrap(p Provider) Provider {
	if w, ok := p.(interface{ Unwrap() Provider }); ok {
		return w.Unwrap()
	}
	return nil
}

// Typed is the capability to name one's type as a configuration's "type" key does, such as "ecr".
type Typed interface {
	Type() string
}

// TypeOf returns the type that p names by [Typed], or else the Go type of the innermost provider. It is a label for logs and metrics.
func TypeOf(p Provider) string {
	if t, ok := As[Typed](p); ok {
		return t.Type()
	}
	for inner := unwrap(p); inner != nil; inner = unwrap(p) {
		p = inner
	}
	return fmt.Sprintf("%T", p)
}

// CallerBound is the capability of credentials that are each one caller's own: a request should say whose ([Request].Caller), so that
// what is done with them shows in the audit of the provider, and they aren't kept to be handed out again, as another caller's
// would be.
type CallerBound interface {
	// CallerBound does nothing: having it says so.
	CallerBound()
}

// BoundToCallers reports whether p, or what it decorates, is [CallerBound].
func BoundToCallers(p Provider) bool {
	_, ok := As[CallerBound](p)
	return ok
}
