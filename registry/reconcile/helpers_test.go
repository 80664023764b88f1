package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

const day = 24 * time.Hour

// old is a repository that a project was given two days ago, with an image.
func old(project string) *repo {
	return &repo{createdAt: time.Now().Add(-2 * day), id: "id-" + project, images: []string{project}}
}

func orphan(project string, age time.Duration) *repo {
	r := old(project)
	r.createdAt = time.Now().Add(-100 * day)
	r.orphaned, r.orphanedAt = true, time.Now().Add(-age)
	return r
}

func with(r *repo, change func(*repo)) *repo {
	change(r)
	return r
}

// fleet is n wanted projects, w0 and so on, that have a repository each.
func fleet(n int) (map[string]*repo, *service) {
	repos, s := map[string]*repo{}, newService()
	for i := range n {
		name := fmt.Sprintf("w%d", i)
		repos[name] = old(name)
		s.set(name, "id-"+name)
	}
	return repos, s
}

// unlimited are options under which time doesn't matter.
func unlimited() reconcile.Options { return reconcile.Options{Rate: -1} }

func run(t *testing.T, f *fake, w reconcile.Wanted, o reconcile.Options) (reconcile.Report, error) {
	t.Helper()
	r, err := reconcile.New(f, w, o)
	require.NoError(t, err)
	return r.Run(t.Context())
}

// inBubble runs a test where time stands still.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// done are a report's changes as "project: action, action", sorted.
func done(r reconcile.Report) []string {
	var all []string
	for _, c := range r.Changes {
		var actions []string
		for _, a := range c.Actions {
			actions = append(actions, string(a))
		}
		all = append(all, c.Project+": "+strings.Join(actions, ", "))
	}
	slices.Sort(all)
	return all
}

func left(r reconcile.Report) map[string]string {
	all := map[string]string{}
	for _, l := range r.LeftAlone {
		all[l.Project] = l.Reason
	}
	return all
}

// requireAbout requires that err holds an error of a kind about a project.
func requireAbout(t *testing.T, err error, kind provider.Kind, project string) {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "%v", err)
	require.True(t, slices.ContainsFunc(joined.Unwrap(), func(err error) bool {
		e, ok := errors.AsType[*provider.Error](err)
		return ok && e.Kind == kind && e.Project == project
	}), "%v", err)
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

// failOn lets calls of a name fail after some.
func (f *fake) failOn(name string, skip int, err error) {
	f.intercept = func(_ context.Context, c call, do func() error) error {
		if c.name == name {
			if skip--; skip < 0 {
				return err
			}
		}
		return do()
	}
}
