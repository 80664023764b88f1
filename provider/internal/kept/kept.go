// Package kept is a value that only whoever checks credentials can make: package provider, which can't name package decorator's
// types, believes it, and nothing outside provider's folder can forge one.
package kept

import "reflect"

// Issued is decorator.Issued, of the types that it is made of: package provider imports this package, and not the other way round.
type Issued[Request comparable, Credentials any] struct {
	request     Request
	credentials Credentials
	by          any // a pointer to a decorator.Reuser; nil: nobody may hand it out unchecked
}

// New returns what by got for r and checked. Only a pointer can be told from all else: what isn't one is never by whom it is.
func New[Request comparable, Credentials any](by any, r Request, c Credentials) Issued[Request, Credentials] {
	i := Issued[Request, Credentials]{request: r, credentials: c}
	if reflect.TypeOf(by).Kind() == reflect.Pointer { // comparing anything else may panic
		i.by = by
	}
	return i
}

// By reports whether i, which may be nil, was checked for p and r.
func By[Request comparable, Credentials any](i *Issued[Request, Credentials], p any, r Request) bool {
	return i != nil && i.by == p && i.request == r
}

// For reports whether i was issued for r.
func (i *Issued[Request, Credentials]) For(r Request) bool { return i.request == r }

// Request returns what i was issued for.
func (i *Issued[Request, Credentials]) Request() Request { return i.request }

// Credentials returns the credential, as it was when it was checked: it may have expired since.
func (i *Issued[Request, Credentials]) Credentials() Credentials { return i.credentials }
