package service

import (
	"context"
	"errors"

	"github.com/rise-deploy/rise-registry-go/examples/internal/suspended"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// errSuspended is for the log: who asks is told no more than that it is so.
var errSuspended = &provider.Error{Kind: provider.ErrConflict, Op: "check auth.suspended_file", Err: errors.New("it is suspended")}

// refusalOf refuses what is suspended.
func refusalOf(list *suspended.List) Refusal {
	return func(r provider.Request) error {
		if list.Has(r.Project) {
			return errSuspended
		}
		return nil
	}
}

// stillGood says whether a grant is: neither it nor its project is suspended, the project's name isn't another's by now, and the program agrees.
func stillGood(list *suspended.List, own Own) tokenissuer.StillGood {
	return func(ctx context.Context, q tokenissuer.Question) error {
		if list.Has(q.Grant) || list.Has(q.Request.Project) { // no project at all is in no list
			return errSuspended
		}
		if own.Identify != nil && !q.Request.AllProjects && !q.OfAllProjects {
			id, err := own.Identify(ctx, q.Request.Project)
			if err != nil {
				return err
			}
			if id != q.Request.ProjectID {
				return &provider.Error{Kind: provider.ErrConflict, Op: "compare project ids", Err: errors.New("the project has another id than the grant's")}
			}
		}
		if own.StillGood != nil {
			return own.StillGood(ctx, q)
		}
		return nil
	}
}
