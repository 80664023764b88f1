package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// What speaks against a list: a wanted repository that is orphaned, however long, unless it is known to be a former project's.
func TestEvidence(t *testing.T) {
	t.Parallel()
	denied := func(f *fake) {
		f.intercept = func(_ context.Context, c call, do func() error) error {
			if c.name == "read tags" && c.project == "w1" {
				return provider.ErrAccessDenied
			}
			return do()
		}
	}
	for name, tt := range map[string]struct {
		repo  func() *repo // w1's
		id    string
		world func(f *fake)
		found int
	}{
		"as it should be":           {repo: func() *repo { return old("w1") }, id: "id-w1"},
		"orphaned":                  {repo: func() *repo { return orphan("w1", time.Hour) }, id: "id-w1", found: 1},
		"orphaned long ago":         {repo: func() *repo { return orphan("w1", 90*day) }, id: "id-w1", found: 1},
		"orphaned some time":        {repo: func() *repo { return with(orphan("w1", 0), func(r *repo) { r.orphanedAt = time.Time{} }) }, id: "id-w1", found: 1},
		"orphaned, drifted":         {repo: func() *repo { return with(orphan("w1", time.Hour), func(r *repo) { r.drift = true }) }, id: "id-w1", found: 1},
		"orphaned, no id":           {repo: func() *repo { return with(orphan("w1", 90*day), func(r *repo) { r.id = "" }) }, id: "id-w1", found: 1},
		"orphaned, no ids":          {repo: func() *repo { return orphan("w1", 90*day) }, id: "", found: 1},
		"young, orphaned":           {repo: func() *repo { return with(orphan("w1", time.Minute), func(r *repo) { r.createdAt = time.Now() }) }, id: "id-w1", found: 1},
		"former project's":          {repo: func() *repo { return orphan("w1", day) }, id: "id-new"},
		"former project's, lately":  {repo: func() *repo { return orphan("w1", day-1) }, id: "id-new", found: 1},
		"former project's, drifted": {repo: func() *repo { return with(orphan("w1", day-1), func(r *repo) { r.drift = true }) }, id: "id-new", found: 1},
		"another project's":         {repo: func() *repo { return old("w1") }, id: "id-new"},
		"stranger's":                {repo: func() *repo { return with(orphan("w1", time.Hour), func(r *repo) { r.another = "stranger's" }) }, id: "id-w1"},
		"unreadable":                {repo: func() *repo { return old("w1") }, id: "id-w1", world: denied, found: 1},
		"gone meanwhile": {repo: func() *repo { return old("w1") }, id: "id-w1", found: 1, world: func(f *fake) {
			f.intercept = func(_ context.Context, c call, do func() error) error {
				if c.name == "read tags" && c.project == "w1" {
					f.mu.Lock()
					if r := f.repos["w1"]; r != nil && r.images != nil {
						delete(f.repos, "w1")
					}
					f.mu.Unlock()
				}
				return do()
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, budget := range []int{0, -1} {
				for _, dry := range []bool{true, false} {
					inBubble(t, func(t *testing.T) {
						repos, s := fleet(3)
						repos["w1"], repos["x"] = tt.repo(), old("x")
						s.set("w1", tt.id)
						f := newFake(repos)
						if tt.world != nil {
							tt.world(f)
						}
						o := unlimited()
						o.DryRun, o.AuditBudget = dry, budget
						report, err := run(t, f, s, o)
						require.Equal(t, 3, report.Guard.Read)
						require.Equal(t, tt.found, report.Guard.Found)
						require.Equal(t, tt.found, report.Guard.WantedOrphaned)
						require.Equal(t, tt.found > 0, report.Guard.Held, "of four, one may go")
						require.Equal(t, tt.found > 0, errors.Is(err, provider.ErrConflict), "%v", err)
						require.Equal(t, tt.found == 0 && !dry, repos["x"].orphaned)
					})
				}
			}
		})
	}
}

// With remove_after 0s nothing is released, and half a list purges nothing either.
func TestHalfAList(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, time.Hour, day, 30 * day} {
		for _, percent := range []int{1, 20, 49} {
			for _, dry := range []bool{false, true} {
				inBubble(t, func(t *testing.T) {
					repos, s := fleet(40)
					for i := range 20 {
						s.remove(fmt.Sprintf("w%d", i))
					}
					for i := range 5 {
						repos[fmt.Sprintf("y%d", i)] = orphan(fmt.Sprintf("y%d", i), 31*day)
					}
					f := newFake(repos)
					f.retention.After = after
					before := f.states()
					o := unlimited()
					o.MaxOrphanedPercent, o.DryRun = percent, dry
					report, err := run(t, f, s, o)
					require.ErrorIs(t, err, provider.ErrConflict)
					require.Equal(t, 20, report.Guard.ToRelease)
					require.Empty(t, report.Changes)
					require.Equal(t, before, f.states())
					require.Equal(t, "the guard holds it back", left(report)["y0"])
				})
			}
		}
	}
}

// What was made for a project that is gone by now is released by the guard's leave only.
func TestRegretsHeld(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		repos, s := fleet(10)
		repos["back"] = orphan("back", 2*day)
		s.set("back", "id-back")
		s.set("missing", "id-missing")
		for i := range 3 {
			repos[fmt.Sprintf("x%d", i)] = old("x")
		}
		f := newFake(repos)
		f.intercept = func(_ context.Context, c call, do func() error) error {
			if c.name == "create" || c.name == "restore" {
				s.remove(c.project)
			}
			return do()
		}
		report, err := run(t, f, s, unlimited())
		require.ErrorIs(t, err, provider.ErrConflict)
		require.Equal(t, []string{"back: restore", "missing: create"}, done(report))
		require.Equal(t, "the guard holds it back", left(report)["missing"])
		require.Equal(t, "the guard holds it back", left(report)["back"])
		require.Equal(t, 4, report.Guard.ToRelease)
	})
}

// A list of other projects makes its own repositories, which aren't a majority that outvotes those that were there.
func TestOtherList(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		repos, _ := fleet(20)
		s := newService()
		for i := range 200 {
			s.set(fmt.Sprintf("other%d", i), strconv.Itoa(i))
		}
		f := newFake(repos)
		for hour := range 24 {
			report, err := run(t, f, s, unlimited())
			require.ErrorIs(t, err, provider.ErrConflict)
			require.Zero(t, report.Released)
			require.Equal(t, 20, report.Guard.Ours, "hour %d", hour)
			time.Sleep(time.Hour - 1)
		}
	})
}

// What is read is a random sample: no stretch of the list, another one in each process, and of all parts of it.
func TestSample(t *testing.T) {
	t.Parallel()
	const n, sampled = 1000, 100
	names := make([]string, 0, n)
	for i := range n {
		names = append(names, fmt.Sprintf("w%d", i))
	}
	slices.Sort(names)
	counts := make([]int, n)
	for range 50 {
		repos, s := fleet(n)
		f := newFake(repos)
		_, err := run(t, f, s, reconcile.Options{Rate: -1, AuditBudget: 2 * sampled})
		require.NoError(t, err)
		fifths := make([]int, 5)
		for _, c := range f.calls {
			if i, found := slices.BinarySearch(names, c.project); found && c.name == "read tags" {
				counts[i]++
				fifths[i/(n/5)]++
			}
		}
		for _, count := range fifths { // 20 of 100 on average; these are seven standard deviations
			require.InDelta(t, sampled/5, count, 27)
		}
	}
	for i, count := range counts { // 5 of 50 on average
		require.LessOrEqual(t, count, 25, "project %d is in every sample", i)
	}
}

// What the process purged within 24 hours counts, as no tag shows it any more.
func TestPurgedCounts(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"", "lost", "failed"} {
		inBubble(t, func(t *testing.T) {
			repos, s := fleet(100)
			for i := range 15 {
				repos[fmt.Sprintf("y%d", i)] = orphan("y", 2*day)
			}
			f := newFake(repos)
			r, err := reconcile.New(f, s, unlimited())
			require.NoError(t, err)
			f.intercept = func(_ context.Context, c call, do func() error) error {
				if c.name != "remove" || fault == "" {
					return do()
				}
				if fault == "lost" {
					_ = do()
				}
				return provider.ErrTimeout
			}
			report, _ := r.Run(t.Context())
			require.Zero(t, report.Guard.Purged)
			if fault == "" {
				require.Equal(t, 15, report.Purged)
			}
			for i := range 6 {
				s.remove(fmt.Sprintf("w%d", i))
			}
			time.Sleep(day - 1)
			report, err = r.Run(t.Context())
			if fault == "failed" { // they are there, as it turns out
				require.Zero(t, report.Guard.Purged)
				require.Equal(t, 6, report.Released)
				return
			}
			require.ErrorIs(t, err, provider.ErrConflict)
			require.ErrorContains(t, err, "15 were purged")
			require.Equal(t, 15, report.Guard.Purged)
			time.Sleep(time.Nanosecond)
			report, err = r.Run(t.Context())
			require.NoError(t, err)
			require.Zero(t, report.Guard.Purged)
			require.Equal(t, 6, report.Released)
		})
	}
}

// Where a sample was read, an orphan that may have been wanted since it was released waits.
func TestMayHaveBeenWanted(t *testing.T) {
	t.Parallel()
	const open = "it may have been wanted since it was released"
	world := func(leftOver bool) (*fake, *service) {
		repos, s := fleet(300)
		repos["y"] = orphan("y", 2*day)
		if leftOver {
			repos["x"] = old("x")
		}
		return newFake(repos), s
	}
	sampled := reconcile.Options{Rate: -1, AuditBudget: 300}
	for name, tt := range map[string]struct {
		leftOver bool
		change   func(f *fake, s *service, o *reconcile.Options)
		purged   bool
	}{
		"nothing to release":   {purged: true},
		"something to release": {leftOver: true},
		"everything was read":  {leftOver: true, purged: true, change: func(_ *fake, _ *service, o *reconcile.Options) { o.AuditBudget = 600 }},
		"without a guard":      {leftOver: true, purged: true, change: func(_ *fake, _ *service, o *reconcile.Options) { o.MaxOrphanedPercent = 100 }},
		"wanted ones are orphaned": {change: func(f *fake, _ *service, o *reconcile.Options) {
			o.MaxOrphanedPercent = 60
			for i := range 30 { // of 300; half of all are read, and miss them once in 10⁹
				f.repos[fmt.Sprintf("w%d", i)] = orphan(fmt.Sprintf("w%d", i), time.Hour)
			}
		}},
		"unreadable": {change: func(f *fake, _ *service, _ *reconcile.Options) {
			f.repos["z"] = old("z")
			f.intercept = func(_ context.Context, c call, do func() error) error {
				if c.project == "z" {
					return provider.ErrThrottled
				}
				return do()
			}
		}},
		"a former project's, nothing to release": {purged: true, change: func(_ *fake, s *service, o *reconcile.Options) {
			s.set("y", "id-new")
			o.AuditBudget = 700
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				f, s := world(tt.leftOver)
				o := sampled
				if tt.change != nil {
					tt.change(f, s, &o)
				}
				report, _ := run(t, f, s, o)
				require.False(t, report.Guard.Held)
				require.Equal(t, tt.purged, f.repos["y"] == nil)
				require.Equal(t, !tt.purged, left(report)["y"] == open)
				if tt.leftOver {
					require.True(t, f.repos["x"].orphaned)
				}
			})
		})
	}
	t.Run("known for a day", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			for _, kind := range []string{"unwanted", "wanted", "another's"} {
				wanted, another := kind == "wanted", kind == "another's"
				f, s := world(false)
				f.repos["y2"] = orphan("y2", 2*day)
				r, err := reconcile.New(f, s, sampled)
				require.NoError(t, err)
				for hour := range 25 {
					name := fmt.Sprintf("x%d", hour)
					f.repos[name] = old(name) // so that there is something to release, each time
					f.intercept = nil
					f.repos["y2"].orphaned = true
					if hour == 24 && another { // had a list that wants them, and came upon one of them
						f.repos["y2"].orphaned = false
					}
					// Wanted in between, when it couldn't be restored.
					if s.remove("y"); wanted && hour == 12 {
						s.set("y", "id-y")
						f.failOn("restore", 0, provider.ErrThrottled)
					}
					report, err := r.Run(t.Context())
					require.Equal(t, wanted && hour == 12, err != nil, "%v", err)
					if hour < 24 && (!wanted || hour != 12) {
						require.Equal(t, open, left(report)["y"])
					}
					require.Equal(t, hour < 24 || wanted || another, f.repos["y"] != nil, "hour %d", hour)
					time.Sleep(time.Hour)
				}
			}
		})
	})
}
