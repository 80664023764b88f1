package reconcile_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// A run has the lease from its first call to its last, and does nothing without.
func TestLease(t *testing.T) {
	t.Parallel()
	for _, dry := range []bool{false, true} {
		repos, s := fleet(10)
		repos["x"] = old("x")
		f := newFake(repos)
		var events []string
		note := func(name string) {
			if len(events) == 0 || events[len(events)-1] != name {
				events = append(events, name)
			}
		}
		f.intercept = func(_ context.Context, _ call, do func() error) error { note("call"); return do() }
		s.step = func(_ context.Context, _ string, do func() error) error { note("call"); return do() }
		o := reconcile.Options{Rate: -1, Concurrency: 1, DryRun: dry}
		o.Lease = func(ctx context.Context) (context.Context, func(), error) {
			note("taken")
			return ctx, func() { note("given back") }, nil
		}
		_, err := run(t, f, s, o)
		require.NoError(t, err)
		require.Equal(t, []string{"taken", "call", "given back"}, events)

		for cause, kind := range map[error]provider.Kind{
			errors.New("no quorum"): provider.ErrUnavailable, provider.ErrAccessDenied: provider.ErrAccessDenied, context.DeadlineExceeded: provider.ErrTimeout,
		} {
			f.reset()
			o.Lease = func(context.Context) (context.Context, func(), error) { return nil, nil, cause }
			report, err := run(t, f, s, o)
			require.ErrorIs(t, err, cause)
			require.Equal(t, kind, provider.KindOf(err))
			require.Empty(t, f.made(false))
			require.Equal(t, reconcile.Report{DryRun: dry}, report)
		}
	}
}

// When the lease is lost nothing more is begun, wherever the run is.
func TestLeaseLost(t *testing.T) {
	t.Parallel()
	lost := errors.New("another process took the lease")
	for position := range 60 {
		inBubble(t, func(t *testing.T) {
			repos, s := fleet(10)
			repos["x"], repos["x2"], repos["y"] = old("x"), old("x2"), orphan("y", 2*day)
			f := newFake(repos)
			var cancel context.CancelCauseFunc
			calls, after, upstream, given := 0, 0, 0, 0
			step := func(do func() error) error {
				if calls++; calls > position {
					after++
					cancel(lost)
				}
				return do()
			}
			f.intercept = func(_ context.Context, _ call, do func() error) error {
				if calls >= position {
					upstream++
				}
				return step(do)
			}
			s.step = func(_ context.Context, _ string, do func() error) error { return step(do) }
			o := reconcile.Options{Rate: -1, Concurrency: 1}
			o.Lease = func(ctx context.Context) (context.Context, func(), error) {
				ctx, cancel = context.WithCancelCause(ctx)
				return ctx, func() { given++; cancel(nil) }, nil
			}
			report, err := run(t, f, s, o)
			require.Equal(t, 1, given)
			if after == 0 {
				require.NoError(t, err)
				require.Equal(t, 2, report.Released)
				require.Equal(t, 1, report.Purged)
				return
			}
			require.ErrorIs(t, err, lost)
			require.Equal(t, provider.ErrTimeout, provider.KindOf(err))
			require.LessOrEqual(t, upstream, 1, "the call in which it was lost: %v", f.made(false))
		})
	}
}

// The registry's clock alone counts: the process' may be wrong by days, either way.
func TestClocks(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-400 * day, -25 * time.Hour, -2 * time.Hour, 0, 2 * time.Hour, 25 * time.Hour, 400 * day} {
		for _, timeless := range []bool{false, true} {
			inBubble(t, func(t *testing.T) {
				repos, s := fleet(20)
				for name, r := range map[string]*repo{
					"left": with(old("left"), func(r *repo) { r.createdAt = time.Now().Add(-time.Hour) }), "young": with(old("young"), func(r *repo) { r.createdAt = time.Now().Add(-time.Hour + 1) }),
					"ripe": orphan("ripe", day), "unripe": orphan("unripe", day-1), "former": orphan("former", day), "lately": orphan("lately", day-1),
				} {
					repos[name] = r
				}
				s.set("former", "id-new")
				s.set("lately", "id-new")
				for _, r := range repos {
					r.createdAt, r.orphanedAt = r.createdAt.Add(ahead), r.orphanedAt.Add(ahead)
				}
				f := newFake(repos)
				f.ahead, f.timeless = ahead, timeless
				o := unlimited()
				report, _ := run(t, f, s, o)
				if timeless {
					require.Empty(t, report.Changes)
					require.Zero(t, report.Guard.Ours)
					for _, name := range []string{"left", "young", "ripe", "unripe"} {
						require.Equal(t, "nobody can tell how old it is", left(report)[name])
					}
					return
				}
				require.Equal(t, []string{"former: remove", "left: release", "ripe: remove"}, done(report))
				require.Equal(t, map[string]string{"young": "it is younger than an hour", "unripe": "it is orphaned"}, left(report))
				require.Equal(t, 1, report.Guard.Found)
				require.Equal(t, 1, report.Guard.Orphaned)
			})
		}
	}
}

// asking is a service during whose answers about single projects something happens.
type asking struct {
	*service
	during func()
}

func (a asking) Project(ctx context.Context, name string) (provider.Project, bool, error) {
	a.during()
	return a.service.Project(ctx, name)
}

// A lease that is lost while the service is asked once more leaves what it was asked about alone, by a provider that looks at no
// context too.
func TestLeaseLostWhileAsking(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]func() *repo{"release": func() *repo { return old("x") }, "purge": func() *repo { return orphan("x", 2*day) }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				repos, s := fleet(20)
				repos["x"] = r()
				f := newFake(repos)
				var lose context.CancelFunc
				calls := 0
				o := unlimited()
				o.Lease = func(ctx context.Context) (context.Context, func(), error) {
					ctx, lose = context.WithCancel(ctx)
					return ctx, lose, nil
				}
				report, err := run(t, f, asking{s, func() { calls = len(f.made(false)); lose() }}, o)
				require.ErrorIs(t, err, provider.ErrTimeout)
				require.Empty(t, report.Changes)
				require.NotZero(t, calls)
				require.Len(t, f.made(false), calls)
			})
		})
	}
}
