package provider

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

// Reuser is the capability of a decorator to hand out once more what it got for an equal request and kept, as registry/cache
// does. [Issue] asks it first, of the outermost provider only: whoever decorates the decorator may change its answers.
type Reuser interface {
	Provider
	// Reuse returns what is kept for r and may be handed out at now, the present time; nil if there is nothing. Then
	// Credentials is asked. It must be quick, and nobody changes what it returns.
	Reuse(ctx context.Context, r Request, now time.Time) *Issued
}

// Issued is a credential that was checked, by [IssueForReuse] alone, together with what it was checked for. The zero Issued
// was checked for nothing.
type Issued struct {
	request     Request
	credentials Credentials
	reuser      Provider // a Reuser; nil: nobody may hand it out unchecked
}

// IssueForReuse asks p for r as [Issue] does, for reuser, which decorates p and keeps the answer: the target is compared with the
// repository that reuser names for the project. [Issue] takes it from that very reuser, and for an equal request only; a type that embeds
// a Reuser, and so has its methods, is another.
//
// reuser has to be a pointer: anything else may keep it too, but is checked each time.
func IssueForReuse(ctx context.Context, reuser Reuser, p Provider, r Request) (Issued, error) {
	c, err := issue(ctx, reuser, p, r)
	if err != nil {
		return Issued{}, err
	}
	c.Details = slices.Clip(c.Details) // many get it, and who appends to it mustn't write into what another has
	i := Issued{request: r, credentials: c}
	if reflect.TypeOf(reuser).Kind() == reflect.Pointer { // what can't be compared would panic
		i.reuser = reuser
	}
	return i, nil
}

// For reports whether i was issued for r.
func (i *Issued) For(r Request) bool { return i.request == r }

// Request returns what i was issued for.
func (i *Issued) Request() Request { return i.request }

// Credentials returns the credential, as it was when it was checked: it may have expired since.
func (i *Issued) Credentials() Credentials { return i.credentials }

// by reports whether i was checked for p and r.
func (i *Issued) by(p Provider, r Request) bool {
	return i != nil && i.reuser == p && i.request == r
}

// immutable reports whether the target is still what was compared: one of another type may have changed.
func (i *Issued) immutable() bool {
	switch i.credentials.Target.(type) {
	case name.Repository, name.Registry:
		return true
	default:
		return false
	}
}
