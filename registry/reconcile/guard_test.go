package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// The guard's arithmetic: more than a fifth of ours, older orphans apart, but one may always go.
func TestGuard(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		wanted, leftOver, orphaned, ripe, strangers, unread, percent int
		held                                                         bool
	}{
		{wanted: 8, leftOver: 2},
		{wanted: 7, leftOver: 3, held: true},
		{wanted: 79, leftOver: 21, held: true},
		{wanted: 80, leftOver: 20},
		{wanted: 80, leftOver: 10, orphaned: 10},
		{wanted: 80, leftOver: 10, orphaned: 11, held: true},
		{wanted: 80, leftOver: 15, ripe: 5},
		{wanted: 50, ripe: 50},
		{wanted: 5, leftOver: 2, ripe: 50, held: true}, // of 7
		{wanted: 8, leftOver: 2, strangers: 50},
		{wanted: 7, leftOver: 3, strangers: 50, held: true},
		{wanted: 80, leftOver: 19, unread: 1, held: true}, // of 99
		{wanted: 81, leftOver: 19, unread: 1},
		{wanted: 81, leftOver: 19, unread: 2, held: true},
		{wanted: 2, leftOver: 1},
		{wanted: 1, leftOver: 1},
		{wanted: 1, leftOver: 2, held: true},
		{wanted: 3, leftOver: 1, orphaned: 1, held: true},
		{wanted: 3, orphaned: 3}, // nothing to hold back
		{wanted: 3, orphaned: 3, ripe: 1, held: true},
		{wanted: 6, leftOver: 4, percent: 40},
		{wanted: 5, leftOver: 5, percent: 40, held: true},
		{wanted: 1, leftOver: 50, unread: 3, percent: 100},
	} {
		t.Run(fmt.Sprintf("%+v", tt), func(t *testing.T) {
			t.Parallel()
			for _, dry := range []bool{false, true} {
				inBubble(t, func(t *testing.T) {
					repos, s := fleet(tt.wanted)
					s.set("missing", "")
					s.set("w0", "id-w0")
					repos["w0"].drift = true
					f := newFake(repos)
					for i := range tt.leftOver {
						repos[fmt.Sprintf("l%d", i)] = old(fmt.Sprintf("l%d", i))
					}
					for i := range tt.orphaned {
						repos[fmt.Sprintf("o%d", i)] = orphan("o", day-1)
					}
					for i := range tt.ripe {
						repos[fmt.Sprintf("r%d", i)] = orphan("r", day)
					}
					for i := range tt.strangers {
						repos[fmt.Sprintf("s%d", i)] = with(old("s"), func(r *repo) { r.another = "stranger's" })
					}
					for i := range tt.unread {
						repos[fmt.Sprintf("u%d", i)] = old(fmt.Sprintf("u%d", i))
					}
					f.intercept = func(_ context.Context, c call, do func() error) error {
						if c.project != "" && c.project[0] == 'u' {
							return provider.ErrThrottled
						}
						return do()
					}
					o := unlimited()
					o.MaxOrphanedPercent, o.DryRun = tt.percent, dry
					report, err := run(t, f, s, o)
					require.Equal(t, tt.held, errors.Is(err, provider.ErrConflict), "%v", err)
					require.Equal(t, tt.held, report.Guard.Held)
					require.Equal(t, tt.wanted+tt.leftOver+tt.orphaned, report.Guard.Ours)
					require.Equal(t, tt.orphaned, report.Guard.Orphaned)
					require.Equal(t, tt.unread, report.Guard.Unread)
					require.Equal(t, tt.leftOver, report.Guard.ToRelease)
					require.Equal(t, 1, report.Created)
					require.Equal(t, 1, report.Mended)
					if tt.held {
						require.Zero(t, report.Released+report.Purged)
						require.ErrorContains(t, err, fmt.Sprintf("of %d repositories", report.Guard.Ours))
						require.ErrorContains(t, err, "MaxOrphanedPercent")
					} else {
						require.Equal(t, tt.leftOver, report.Released)
						require.Equal(t, tt.ripe, report.Purged)
					}
				})
			}
		})
	}
}

// A loop can't drain: however often it runs, with whatever lists, by whichever replica, a fifth goes in 24 hours. And none
// is removed before it was orphaned for 24 hours, even if the configuration would.
func TestDrained(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{time.Nanosecond, time.Hour, day, 30 * day} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				repos, s := fleet(100)
				f := newFake(repos)
				f.retention.After = after
				for i := range 97 { // one project is lost after the other
					s.remove(fmt.Sprintf("w%d", i))
					_, _ = run(t, f, s, unlimited())
					orphans := 0
					for _, r := range f.repos {
						if r.orphaned {
							orphans++
						}
					}
					require.Len(t, f.repos, 100)
					require.Equal(t, min(i+1, 20), orphans)
					time.Sleep(10 * time.Minute)
				}
				time.Sleep(max(after, day))
				o := unlimited()
				o.MaxOrphanedPercent = 1
				_, err := run(t, f, s, o)
				require.ErrorIs(t, err, provider.ErrConflict)
				require.Len(t, f.repos, 100)
				report, err := run(t, f, newServiceOf(f), unlimited())
				require.NoError(t, err)
				require.Equal(t, 20, report.Purged, "what is wanted again, but these by nobody")
			})
		})
	}
}

// newServiceOf wants everything that isn't orphaned.
func newServiceOf(f *fake) *service {
	s := newService()
	for name, r := range f.repos {
		if !r.orphaned {
			s.set(name, r.id)
		}
	}
	return s
}

// Where releasing removes at once, nothing is left to count: a run releases nothing then, and says so. It purges, what is
// left of releases that failed half-way.
func TestRemovedAtOnce(t *testing.T) {
	t.Parallel()
	for _, dry := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			repos, s := fleet(10)
			repos["x"], repos["y"], repos["w3"] = old("x"), orphan("y", day), orphan("w3", day)
			s.set("missing", "id-m")
			f := newFake(repos)
			f.retention.After = 0
			f.intercept = func(_ context.Context, c call, do func() error) error {
				if c.name == "create" || c.name == "restore" {
					s.remove(c.project)
				}
				return do()
			}
			o := unlimited()
			o.DryRun = dry
			report, err := run(t, f, s, o)
			require.ErrorIs(t, err, provider.ErrMisconfigured)
			require.ErrorContains(t, err, "1 are left over")
			require.Equal(t, []string{"missing: create", "w3: restore", "y: remove"}, done(report))
			require.Contains(t, f.repos, "x")
			require.Equal(t, "releasing it would remove it at once", left(report)["x"])
			if !dry {
				require.Contains(t, f.repos, "missing")
				require.Contains(t, f.repos, "w3")
			}
			delete(f.repos, "x")
			s.set("missing", "id-m")
			s.set("w3", "id-w3")
			_, err = run(t, f, s, unlimited())
			require.NoError(t, err, "where nothing is left over, there is nothing wrong")
		})
	}
}

// Without the configuration's leave nothing is ever removed.
func TestNeverRemoved(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		repos, s := fleet(10)
		repos["x"], repos["y"], repos["w3"] = old("x"), orphan("y", 1000*day), orphan("w3", 1000*day)
		s.set("w3", "id-2")
		f := newFake(repos)
		f.retention = repository.Retention{After: day}
		report, err := run(t, f, s, reconcile.Options{Rate: -1})
		requireAbout(t, err, provider.ErrOrphaned, "w3")
		require.Equal(t, []string{"x: release"}, done(report))
		require.Equal(t, "it is orphaned", left(report)["y"])
	})
}

// Years of orphans that are kept (auto_remove: false) lift the guard's limit over all projects that are alive.
func TestOldOrphans(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		repos, s := fleet(100)
		f := newFake(repos)
		f.retention.Remove = false
		for i := range 1000 {
			name := fmt.Sprintf("o%d", i)
			repos[name] = orphan(name, 300*day)
		}
		for i := range 99 {
			s.remove(fmt.Sprintf("w%d", i))
		}
		report, err := run(t, f, s, unlimited())
		require.ErrorIs(t, err, provider.ErrConflict)
		require.Equal(t, 100, report.Guard.Ours)
		require.Zero(t, report.Released)
	})
}
