package reconcile

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Wanted is a service's source of projects. Both methods must answer from the same, current source: a cache or a read
// replica that lags behind would let go of new projects' repositories. They are called concurrently.
type Wanted interface {
	// Projects yields all projects that are to have a repository, in any order. An error ends the run before it changes
	// anything: a list that isn't complete must yield one.
	Projects(ctx context.Context) iter.Seq2[provider.Project, error]
	// Project returns the project that has the name now, and whether there is one. It is asked right before and after the
	// project's repository is released, before it is purged, and after one is made or restored.
	Project(ctx context.Context, name string) (p provider.Project, wanted bool, err error)
}

// WantedFunc is a [Wanted] that calls list each time it is asked: for a short list, such as a file's.
func WantedFunc(list func(context.Context) ([]provider.Project, error)) Wanted {
	return wantedFunc(list)
}

// WantedList is a [Wanted] that never changes.
func WantedList(projects []provider.Project) Wanted {
	projects = slices.Clone(projects)
	return wantedFunc(func(context.Context) ([]provider.Project, error) { return projects, nil })
}

type wantedFunc func(context.Context) ([]provider.Project, error)

func (f wantedFunc) Projects(ctx context.Context) iter.Seq2[provider.Project, error] {
	return func(yield func(provider.Project, error) bool) {
		projects, err := f(ctx)
		if err != nil {
			yield(provider.Project{}, err)
			return
		}
		for _, p := range projects {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (f wantedFunc) Project(ctx context.Context, name string) (provider.Project, bool, error) {
	projects, err := f(ctx)
	if err == nil && len(projects) == 0 {
		err = errors.New("the list is empty by now")
	}
	if err != nil {
		return provider.Project{}, false, err
	}
	i := slices.IndexFunc(projects, func(p provider.Project) bool { return p.Name == name })
	if i < 0 {
		return provider.Project{}, false, nil
	}
	return projects[i], true, nil
}
