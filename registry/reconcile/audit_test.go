package reconcile_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// The audit stays within its budget, goes on where it was, and gets round.
func TestAuditRolls(t *testing.T) {
	t.Parallel()
	repos, s := fleet(100)
	f := newFake(repos)
	r, err := reconcile.New(f, s, reconcile.Options{Rate: -1, AuditBudget: 31})
	require.NoError(t, err)
	var all []string
	for range 7 { // 15 of 100 each
		f.reset()
		report, err := r.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, 15, report.Audited)
		require.Equal(t, 30, report.Calls)
		require.Len(t, f.made(false), 1+30)
		for _, c := range f.made(false) {
			if name := "read lifecycle "; len(c) > len(name) && c[:len(name)] == name {
				all = append(all, c[len(name):])
			}
		}
	}
	require.Len(t, all, 105)
	counts := map[string]int{}
	for _, name := range all {
		counts[name]++
	}
	require.Len(t, counts, 100)

	// What goes and comes doesn't disturb it.
	last := all[104]
	s.remove(last)
	delete(f.repos, last)
	f.reset()
	_, err = r.Run(t.Context())
	require.NoError(t, err)
	require.NotContains(t, f.made(false), "read lifecycle "+last)

	begins := map[string]bool{}
	for range 30 { // replicas don't all begin at one place
		f.reset()
		_, err := run(t, f, s, reconcile.Options{Rate: -1, AuditBudget: 2})
		require.NoError(t, err)
		begins[f.made(false)[1]] = true
	}
	require.Greater(t, len(begins), 5)
}

func TestAuditBudget(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		budget, repositories, audited int
	}{
		{0, 400, 250}, {0, 10, 10}, {-1, 10, 0}, {1, 10, 0}, {2, 10, 1}, {500, 251, 250}, {7, 0, 0},
	} {
		repos, s := fleet(tt.repositories)
		s.set("missing", "id-missing")
		f := newFake(repos)
		report, err := run(t, f, s, reconcile.Options{Rate: -1, AuditBudget: tt.budget})
		require.NoError(t, err)
		require.Equal(t, tt.audited, report.Audited, "%+v", tt)
	}
}

// Mending isn't held up by the budget; what is read for it is in it. A provider that takes more calls is found out.
func TestAuditCosts(t *testing.T) {
	t.Parallel()
	repos, s := fleet(100)
	for _, r := range repos {
		r.unlifecycle = true
	}
	f := newFake(repos)
	report, err := run(t, f, s, reconcile.Options{Rate: -1, AuditBudget: 40})
	require.NoError(t, err)
	require.Equal(t, 20, report.Mended)
	require.Equal(t, 60, report.Calls)

	costly := &costly{newFake(repos)}
	r, err := reconcile.New(costly, s, reconcile.Options{Rate: -1, AuditBudget: 40})
	require.NoError(t, err)
	_, err = r.Run(t.Context())
	require.NoError(t, err)
	report, err = r.Run(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, report.Calls, 40)
	require.Equal(t, 4, report.Audited)
}

// A failure tells nothing about what an audit costs.
func TestAuditCostsAfterFailure(t *testing.T) {
	t.Parallel()
	repos, s := fleet(100)
	f := newFake(repos)
	first := true
	f.intercept = func(_ context.Context, c call, do func() error) error {
		if c.name == "read tags" && first {
			first = false
			return provider.ErrThrottled
		}
		return do()
	}
	report, err := run(t, &costly{f}, s, reconcile.Options{Rate: -1, AuditBudget: 50})
	require.ErrorIs(t, err, provider.ErrThrottled)
	require.LessOrEqual(t, report.Calls, 50)
}

// What a stopped run didn't get to is audited next.
func TestAuditStopped(t *testing.T) {
	t.Parallel()
	repos, s := fleet(100)
	f := newFake(repos)
	r, err := reconcile.New(f, s, reconcile.Options{Rate: -1, AuditBudget: 2})
	require.NoError(t, err)
	_, err = r.Run(t.Context())
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	f.reset()
	f.intercept = func(_ context.Context, c call, do func() error) error {
		if c.name == "read tags" {
			cancel()
			return provider.ErrTimeout
		}
		return do()
	}
	_, err = r.Run(ctx)
	require.ErrorIs(t, err, provider.ErrTimeout)
	missed := f.made(false)[1]

	f.reset()
	f.intercept = nil
	_, err = r.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, missed, f.made(false)[1])
}

// costly takes ten calls for what others take two.
type costly struct{ *fake }

func (c *costly) EnsureRepository(ctx context.Context, p provider.Project, o repository.EnsureOptions) (repository.Change, error) {
	c.mu.Lock()
	c.repos[p.Name].unlifecycle = false
	c.mu.Unlock()
	change, err := c.fake.EnsureRepository(ctx, p, o)
	if err == nil {
		change.Calls += 8
	}
	return change, err
}

// What the budget would allow fails too: a repository that can't be read costs what it costs.
func TestAuditFails(t *testing.T) {
	t.Parallel()
	repos, s := fleet(100)
	f := newFake(repos)
	f.intercept = func(_ context.Context, c call, do func() error) error {
		if c.name == "read tags" {
			return provider.ErrAccessDenied
		}
		return do()
	}
	report, err := run(t, f, s, reconcile.Options{Rate: -1, AuditBudget: 40})
	require.ErrorIs(t, err, provider.ErrAccessDenied)
	require.LessOrEqual(t, report.Calls, 40)
	require.Greater(t, report.Failures, 20)
	require.False(t, slices.ContainsFunc(f.calls, func(c call) bool { return c.writes }))
}
