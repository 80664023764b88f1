package cache_test

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// manager is an upstream that manages repositories; during is called while a change goes on.
type manager struct {
	*upstream
	during func()
	change repository.Change
	err    error
}

func (m *manager) done() (repository.Change, error) {
	if m.during != nil {
		m.during()
	}
	return m.change, m.err
}

func (m *manager) EnsureRepository(context.Context, provider.Project, repository.EnsureOptions) (repository.Change, error) {
	return m.done()
}

func (m *manager) AdoptRepository(context.Context, provider.Project, bool) (repository.Change, error) {
	return m.done()
}

func (m *manager) ReleaseRepository(context.Context, provider.Project) (repository.Change, error) {
	return m.done()
}

func (m *manager) RestoreRepository(context.Context, provider.Project) (repository.Change, error) {
	return m.done()
}

func (m *manager) SuspendRepository(context.Context, string, bool) (repository.Change, error) {
	return m.done()
}

func (m *manager) PurgeRepository(context.Context, string, time.Duration) (repository.Change, error) {
	return m.done()
}

func (m *manager) RepositoryOwner(context.Context, string) (repository.Owner, error) {
	return repository.Owner{Ours: true}, nil
}

func (m *manager) ListRepositories(context.Context) iter.Seq2[repository.Repository, error] {
	return func(yield func(repository.Repository, error) bool) {
		yield(repository.Repository{Project: "hello", CreatedAt: time.Now().Add(-48 * time.Hour), ReadAt: time.Now()}, nil)
	}
}

func (m *manager) Retention() (repository.Retention, error) {
	return repository.Retention{Remove: true}, nil
}

var (
	hello   = provider.Project{Name: "hello", ID: "1"}
	changes = map[string]func(context.Context, repository.Manager) error{
		"adopt": func(ctx context.Context, m repository.Manager) error {
			_, err := m.AdoptRepository(ctx, hello, true)
			return err
		},
		"release": func(ctx context.Context, m repository.Manager) error {
			_, err := m.ReleaseRepository(ctx, hello)
			return err
		},
		"restore": func(ctx context.Context, m repository.Manager) error {
			_, err := m.RestoreRepository(ctx, hello)
			return err
		},
		"suspend": func(ctx context.Context, m repository.Manager) error {
			_, err := m.SuspendRepository(ctx, "hello", true)
			return err
		},
		"lift": func(ctx context.Context, m repository.Manager) error {
			_, err := m.SuspendRepository(ctx, "hello", false)
			return err
		},
		"purge": func(ctx context.Context, m repository.Manager) error {
			_, err := m.PurgeRepository(ctx, "hello", time.Hour)
			return err
		},
		"purge all": func(ctx context.Context, m repository.Manager) error {
			for _, err := range repository.Purge(ctx, m, time.Hour) {
				return err
			}
			return nil
		},
	}
)

// What changes a repository through the cache's own process leaves nothing kept: neither what was, nor what is issued meanwhile. And
// nothing is handed out of it during the change.
func TestChangesForget(t *testing.T) {
	t.Parallel()
	for name, change := range changes {
		for how, failure := range map[string]error{"": nil, ", which fails": errors.New("somewhere on the way")} {
			t.Run(name+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					u := &upstream{}
					m := &manager{upstream: u, err: failure}
					c := newCache(t, m, cache.Options{})
					found, err := repository.ManagerOf(wrapper{c})
					require.NoError(t, err)
					ask(t, c, push("hello"))
					ask(t, c, push("other"))
					all := provider.Request{AllProjects: true, Access: provider.Pull}
					ask(t, c, all)
					ended := make(chan struct{})
					m.during = func() {
						require.Equal(t, 2, c.Stats().Entries, "forgotten before")
						require.Equal(t, "hello/2", ask(t, c, push("hello")))
						u.latency = time.Second // the next is on its way when the change is over
						go func() {
							defer close(ended)
							ask(t, c, provider.Request{Project: "hello", Access: provider.Pull})
						}()
						synctest.Wait()
						m.during = nil
					}
					require.Equal(t, failure, change(t.Context(), found))
					<-ended
					require.Equal(t, 2, c.Stats().Entries, "forgotten after")
					u.latency = 0
					require.Equal(t, "hello/3", ask(t, c, push("hello")))
					require.Equal(t, "hello/2", ask(t, c, provider.Request{Project: "hello", Access: provider.Pull}))
					ask(t, c, push("other"))
					ask(t, c, all)
					require.Equal(t, 1, u.count(push("other")))
					require.Equal(t, 1, u.count(all))
				})
			})
		}
	}
}

// Ensuring goes on all the time, and forgets where it did more than to mend settings.
func TestEnsureForgets(t *testing.T) {
	t.Parallel()
	settings := []repository.Action{
		repository.ActionTag, repository.ActionTagMutability, repository.ActionScanOnPush, repository.ActionLifecycle,
	}
	for name, test := range map[string]struct {
		options repository.EnsureOptions
		actions []repository.Action
		err     error
		forgets bool
	}{
		"nothing":              {},
		"settings":             {actions: settings},
		"created":              {actions: append([]repository.Action{repository.ActionCreate}, settings...), forgets: true},
		"restored":             {actions: []repository.Action{repository.ActionRestore}, forgets: true},
		"adopted":              {actions: []repository.Action{repository.ActionAdopt}, forgets: true},
		"something new":        {actions: []repository.Action{"replace"}, forgets: true},
		"restored, and failed": {actions: []repository.Action{repository.ActionRestore}, err: provider.ErrUnavailable, forgets: true},
		"another's":            {err: provider.ErrNotOurs, forgets: true},
		"orphaned":             {err: provider.ErrOrphaned, forgets: true},
		"gone":                 {err: provider.ErrNotFound, forgets: true},
		"an outage":            {err: provider.ErrUnavailable},
		"a setting denied":     {err: provider.ErrAccessDenied},
		"misconfigured":        {err: provider.ErrMisconfigured},
		"would be restored":    {options: repository.EnsureOptions{DryRun: true}, actions: []repository.Action{repository.ActionRestore}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &manager{upstream: &upstream{}, change: repository.Change{Actions: test.actions}, err: test.err}
			c := newCache(t, m, cache.Options{})
			found, err := repository.ManagerOf(c)
			require.NoError(t, err)
			ask(t, c, push("hello"))
			change, err := found.EnsureRepository(t.Context(), hello, test.options)
			require.Equal(t, test.err, err)
			require.Equal(t, m.change, change)
			require.Equal(t, test.forgets, c.Stats().Entries == 0)
		})
	}
}

// A name that is none isn't taken for all projects.
func TestChangeOfNoProject(t *testing.T) {
	t.Parallel()
	c := newCache(t, &manager{upstream: &upstream{}, err: provider.ErrInvalidRequest}, cache.Options{})
	ask(t, c, provider.Request{AllProjects: true, Access: provider.Pull})
	m, err := repository.ManagerOf(c)
	require.NoError(t, err)
	_, err = m.SuspendRepository(t.Context(), "", true)
	require.ErrorIs(t, err, provider.ErrInvalidRequest)
	require.Equal(t, 1, c.Stats().Entries)
}

func TestManagerThroughTheCache(t *testing.T) {
	t.Parallel()
	inner := &manager{upstream: &upstream{}}
	c := newCache(t, inner, cache.Options{})
	found, ok := provider.As[*manager](c)
	require.True(t, ok)
	require.Same(t, inner, found, "the wrapped provider itself is still there")
	through, err := repository.ManagerOf(c)
	require.NoError(t, err)
	require.NotSame(t, inner, through)

	deeper, err := repository.ManagerOf(newCache(t, wrapper{inner}, cache.Options{}))
	require.NoError(t, err)
	require.NotSame(t, inner, deeper, "a decorator between them makes no difference")
	two, err := repository.ManagerOf(newCache(t, c, cache.Options{}))
	require.NoError(t, err)
	require.NotSame(t, inner, two)

	_, err = repository.ManagerOf(newCache(t, &upstream{}, cache.Options{}))
	require.ErrorIs(t, err, provider.ErrUnsupported, "there is none to manage with")
	require.Equal(t, 9, reflect.TypeFor[repository.Manager]().NumMethod(), "does a change by the new method have to be forgotten?")
}
