package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// maxErrors is how many errors are kept of a run: there may be as many as projects.
const maxErrors = 100

// fail records that something went wrong with one project. What fails because the run was stopped is no failure.
func (n *run) fail(ctx context.Context, op, project string, err error) {
	if n.over(ctx) && provider.KindOf(err) == provider.ErrTimeout {
		return
	}
	var e *provider.Error
	if !errors.As(err, &e) || e.Project != project {
		err = &provider.Error{Kind: kindOf(err), Op: op, Project: project, Err: err}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.report.Failures++; len(n.errs) < maxErrors {
		n.errs = append(n.errs, err)
	}
}

// joined is the run's error: what ended it or held it back, and what it went on past.
func (n *run) joined(first ...error) error {
	errs := slices.Concat(first, n.errs)
	if more := n.report.Failures - len(n.errs); more > 0 {
		errs = append(errs, fmt.Errorf("and %d more failures", more))
	}
	return errors.Join(errs...)
}

// kindOf is err's kind; what has none comes from the service, or from a provider of a third party.
func kindOf(err error) provider.Kind {
	return cmp.Or(provider.KindOf(err), provider.ErrUnavailable)
}

func ended(op string, err error) error {
	return &provider.Error{Kind: provider.ErrTimeout, Op: op, Err: err}
}
