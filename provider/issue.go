package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider/internal/kept"
)

// Issue asks p for r and checks the answer, so that a provider's mistake is an error and not another project's
// credential: it calls [Request.Validate], p's Credentials and [Credentials.Check], and compares the target with the
// repository that p names for the project.
//
// What a decorator that reuses credentials kept since it was checked like that, for this request, isn't checked once more, but
// for its expiry; see package decorator.
//
// Beside p's own errors it returns [ErrInvalidRequest] for an invalid r and [ErrBadResponse] for an answer that isn't
// what was asked for.
func Issue(ctx context.Context, p Provider, r Request) (Credentials, error) {
	if reuser, ok := p.(reuser); ok {
		now := time.Now()
		if i := reuser.Reuse(ctx, r, now); kept.By(i, p, r) {
			c := i.Credentials()
			if immutable(c.Target) && c.checkExpiry(now) == nil {
				return c, nil
			}
			return checked(p, r, c)
		}
	}
	if err := r.Validate(); err != nil {
		return Credentials{}, err
	}
	c, err := p.Credentials(ctx, r)
	if err != nil {
		return Credentials{}, err
	}
	return checked(p, r, c)
}

// reuser is decorator.Reuser.
type reuser interface {
	Reuse(ctx context.Context, r Request, now time.Time) *kept.Issued[Request, Credentials]
}

// immutable reports whether a kept credential's target is still what was compared: one of another type may have changed.
func immutable(target authn.Resource) bool {
	switch target.(type) {
	case name.Repository, name.Registry:
		return true
	default:
		return false
	}
}

// checked returns c, if it is what r asks for, from p.
func checked(p Provider, r Request, c Credentials) (Credentials, error) {
	if err := c.Check(r, time.Now()); err != nil {
		return Credentials{}, err
	}
	if r.AllProjects {
		return c, nil
	}
	want, err := p.Repository(r.Project, r.Consumer)
	if err != nil {
		return Credentials{}, err
	}
	if same, ok := c.Target.(name.Repository); ok && same == want {
		return c, nil
	}
	if got := c.Target.String(); got != want.String() {
		return Credentials{}, &Error{
			Kind: ErrBadResponse, Op: "check credential", Project: r.Project,
			Err: fmt.Errorf("its target is %q, not the project's repository %q", got, want.String()),
		}
	}
	return c, nil
}
