package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

// Issue asks p for r and checks the answer, so that a provider's mistake is an error and not another project's
// credential: it calls [Request.Validate], p's Credentials and [Credentials.Check], and compares the target with the
// repository that p names for the project.
//
// What a [Reuser] kept since it was checked like that, for this request, isn't checked once more, but for its expiry.
//
// Beside p's own errors it returns [ErrInvalidRequest] for an invalid r and [ErrBadResponse] for an answer that isn't
// what was asked for.
func Issue(ctx context.Context, p Provider, r Request) (Credentials, error) {
	if reuser, ok := p.(Reuser); ok {
		now := time.Now()
		if kept := reuser.Reuse(ctx, r, now); kept.by(p, r) {
			if kept.immutable() && kept.credentials.checkExpiry(now) == nil {
				return kept.credentials, nil
			}
			return checked(p, r, kept.credentials)
		}
	}
	return issue(ctx, p, p, r)
}

// issue asks p and checks the answer by what outer names the repositories, which is p or decorates it.
func issue(ctx context.Context, outer, p Provider, r Request) (Credentials, error) {
	if err := r.Validate(); err != nil {
		return Credentials{}, err
	}
	c, err := p.Credentials(ctx, r)
	if err != nil {
		return Credentials{}, err
	}
	return checked(outer, r, c)
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
