package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

func TestNew(t *testing.T) {
	t.Parallel()
	_, err := reconcile.New(onPush{}, newService("a"), reconcile.Options{})
	require.ErrorIs(t, err, provider.ErrUnsupported)
	require.ErrorContains(t, err, "pushed")
	_, err = reconcile.New(newFake(nil), nil, reconcile.Options{})
	require.ErrorIs(t, err, provider.ErrMisconfigured)
	for _, percent := range []int{-1, 101} {
		_, err = reconcile.New(newFake(nil), newService("a"), reconcile.Options{MaxOrphanedPercent: percent})
		require.ErrorIs(t, err, provider.ErrMisconfigured)
	}
}

type onPush struct{}

func (onPush) Repository(string, provider.Consumer) (name.Repository, error) {
	return name.Repository{}, nil
}

func (onPush) Credentials(context.Context, provider.Request) (provider.Credentials, error) {
	return provider.Credentials{}, nil
}
func (onPush) CreatesOnPush() bool { return true }

// What isn't as it should be, each thing that can be, and what a run makes of it, or leaves.
func TestRun(t *testing.T) {
	t.Parallel()
	mend := func(s string) []string { return []string{s} }
	for name, tt := range map[string]struct {
		project string
		repo    func(project string) *repo // nil: none
		wanted  string                     // its id; "" if it isn't
		none    bool                       // wanted without an id
		want    []string
		left    string
		kind    provider.Kind
		keeps   bool // not even a wrong run may write to it
	}{
		"as it should be": {repo: old, wanted: "id-x", keeps: true},
		"missing":         {wanted: "id-x", want: mend("x: create")},
		"missing, no ids": {none: true, want: mend("x: create")},
		"drifted": {repo: func(p string) *repo { return with(old(p), func(r *repo) { r.drift = true }) }, wanted: "id-x",
			want: mend("x: set scan on push")},
		"audited": {repo: func(p string) *repo { return with(old(p), func(r *repo) { r.unlifecycle = true }) }, wanted: "id-x",
			want: mend("x: set lifecycle policy")},
		"both": {repo: func(p string) *repo { return with(old(p), func(r *repo) { r.drift, r.unlifecycle = true, true }) }, wanted: "id-x",
			want: []string{"x: set lifecycle policy", "x: set scan on push"}},
		"orphaned, wanted back":   {repo: func(p string) *repo { return orphan(p, 50*day) }, wanted: "id-x", want: mend("x: restore")},
		"orphaned, of another":    {repo: func(p string) *repo { return orphan(p, time.Hour) }, wanted: "id-2", kind: provider.ErrOrphaned, keeps: true},
		"orphaned, no ids":        {repo: func(p string) *repo { return orphan(p, 50*day) }, none: true, kind: provider.ErrOrphaned, keeps: true},
		"long orphaned, of other": {repo: func(p string) *repo { return orphan(p, 50*day) }, wanted: "id-2", kind: provider.ErrOrphaned, want: mend("x: remove")},
		"of another project":      {repo: old, wanted: "id-2", kind: provider.ErrNotOurs, keeps: true},
		"wanted but not ours": {repo: func(p string) *repo { return with(old(p), func(r *repo) { r.another = "stranger's" }) }, wanted: "id-x",
			kind: provider.ErrNotOurs, keeps: true},
		"orphaned without an id": {repo: func(p string) *repo { return with(orphan(p, 50*day), func(r *repo) { r.id = "" }) }, wanted: "id-2",
			kind: provider.ErrOrphaned, keeps: true},
		"young, of another": {repo: func(p string) *repo { return with(orphan(p, 50*day), func(r *repo) { r.createdAt = time.Now() }) },
			wanted: "id-2", kind: provider.ErrOrphaned, keeps: true},
		"no age, of another": {repo: func(p string) *repo { return with(orphan(p, 50*day), func(r *repo) { r.createdAt = time.Time{} }) },
			wanted: "id-2", kind: provider.ErrOrphaned, keeps: true},
		"drifted, of another": {repo: func(p string) *repo { return with(orphan(p, 50*day), func(r *repo) { r.drift = true }) }, wanted: "id-2",
			kind: provider.ErrOrphaned, want: mend("x: remove")},
		"no orphan any more": {repo: func(p string) *repo { return with(orphan(p, 50*day), func(r *repo) { r.orphaned = false }) }, want: mend("x: release")},
		"no orphan":          {repo: func(p string) *repo { return with(orphan(p, time.Hour), func(r *repo) { r.orphaned = false }) }, want: mend("x: release")},
		"left over":          {repo: old, want: mend("x: release")},
		"left over, no id":   {repo: func(p string) *repo { return with(old(p), func(r *repo) { r.id = "" }) }, want: mend("x: release")},
		"left over, drifted": {repo: func(p string) *repo { return with(old(p), func(r *repo) { r.drift = true }) }, want: mend("x: release")},
		"not ours": {repo: func(p string) *repo { return with(old(p), func(r *repo) { r.another = "stranger's" }) },
			left: "it isn't ours: stranger's", keeps: true},
		"orphan of others": {repo: func(p string) *repo { return with(orphan(p, 50*day), func(r *repo) { r.another = "stranger's" }) },
			left: "it isn't ours: stranger's", keeps: true},
		"young": {repo: func(p string) *repo {
			return with(old(p), func(r *repo) { r.createdAt = time.Now().Add(-time.Hour + 1) })
		}, left: "it is younger than an hour", keeps: true},
		"an hour old": {repo: func(p string) *repo { return with(old(p), func(r *repo) { r.createdAt = time.Now().Add(-time.Hour) }) },
			want: mend("x: release")},
		"made in future": {repo: func(p string) *repo { return with(old(p), func(r *repo) { r.createdAt = time.Now().Add(day) }) },
			left: "it is younger than an hour", keeps: true},
		"of unknown age": {repo: func(p string) *repo { return with(old(p), func(r *repo) { r.createdAt = time.Time{} }) },
			left: "nobody can tell how old it is", keeps: true},
		"young orphan": {repo: func(p string) *repo { return with(orphan(p, 50*day), func(r *repo) { r.createdAt = time.Now() }) },
			left: "it is younger than an hour", keeps: true},
		"renamed": {repo: func(p string) *repo { return with(old(p), func(r *repo) { r.id = "id-w0" }) },
			left: "its project is wanted by another name: w0", keeps: true},
		"renamed orphan": {repo: func(p string) *repo { return with(orphan(p, 50*day), func(r *repo) { r.id = "id-w0" }) },
			left: "its project is wanted by another name: w0", keeps: true},
		"former's name, renamed": {repo: func(p string) *repo { return with(orphan(p, 50*day), func(r *repo) { r.id = "id-w0" }) },
			wanted: "id-2", kind: provider.ErrOrphaned, keeps: true},
		"orphan":          {repo: func(p string) *repo { return orphan(p, day-1) }, left: "it is orphaned", keeps: true},
		"ripe orphan":     {repo: func(p string) *repo { return orphan(p, day) }, want: mend("x: remove")},
		"timeless orphan": {repo: func(p string) *repo { return with(orphan(p, 0), func(r *repo) { r.orphanedAt = time.Time{} }) }, left: "it is orphaned", keeps: true},
		"future orphan":   {repo: func(p string) *repo { return orphan(p, -day) }, left: "it is orphaned", keeps: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				world := func() (*fake, *service) {
					repos, s := fleet(10)
					if tt.repo != nil {
						repos["x"] = tt.repo("x")
					}
					if tt.wanted != "" || tt.none {
						s.set("x", tt.wanted)
					}
					return newFake(repos), s
				}
				f, s := world()
				before := f.states()
				o := unlimited()
				o.DryRun = true
				planned, planErr := run(t, f, s, o)
				require.Equal(t, before, f.states())
				require.Empty(t, f.made(true))

				report, err := run(t, f, s, unlimited())
				if tt.kind == "" {
					require.NoError(t, err)
					require.NoError(t, planErr)
				} else {
					requireAbout(t, err, tt.kind, "x")
					requireAbout(t, planErr, tt.kind, "x")
					require.NotZero(t, report.Failures)
				}
				require.Equal(t, tt.want, done(report))
				require.Equal(t, tt.want, done(planned), "a dry run shows what is done")
				require.Equal(t, tt.left, left(report)["x"])
				require.Equal(t, tt.left, left(planned)["x"])
				require.Equal(t, name == "orphan" || name == "future orphan", report.Guard.Orphaned == 1)
				if tt.keeps {
					require.Equal(t, before, f.states())
					require.Empty(t, f.made(true))
				}
				require.Equal(t, len(tt.want), report.Created+report.Restored+report.Mended+report.Released+report.Purged)
				require.Equal(t, report.Calls, len(f.made(false))-2-planned.Calls)

				if tt.kind == "" { // once is enough
					f.reset()
					again, err := run(t, f, s, unlimited())
					require.NoError(t, err)
					require.Empty(t, again.Changes)
					require.Empty(t, f.made(true))
				}
			})
		})
	}
}

// A list that can't be right stops a run before it changes, or even reads, anything more.
func TestStopped(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, tt := range map[string]struct {
		change func(f *fake, s *service)
		kind   provider.Kind
		calls  []string
	}{
		"not configured": {func(f *fake, _ *service) { f.retained = &provider.Error{Kind: provider.ErrMisconfigured, Err: boom} },
			provider.ErrMisconfigured, nil},
		"no projects":   {func(_ *fake, s *service) { clear(s.projects) }, provider.ErrConflict, []string{"list"}},
		"list fails":    {func(_ *fake, s *service) { s.list = boom }, provider.ErrUnavailable, []string{"list"}},
		"list refused":  {func(_ *fake, s *service) { s.list = provider.ErrAccessDenied }, provider.ErrAccessDenied, []string{"list"}},
		"no list":       {func(_ *fake, s *service) { clear(s.projects); s.list = boom }, provider.ErrUnavailable, []string{"list"}},
		"invalid name":  {func(_ *fake, s *service) { s.set("no/name", "") }, provider.ErrInvalidRequest, []string{"list"}},
		"listing fails": {func(f *fake, _ *service) { f.failOn("list", 0, boom) }, provider.ErrUnavailable, []string{"list"}},
		"second page":   {func(f *fake, _ *service) { f.failOn("list", 1, boom) }, provider.ErrUnavailable, []string{"list", "list"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, dry := range []bool{false, true} {
				repos, s := fleet(1100)
				repos["x"] = old("x")
				s.set("y", "")
				f := newFake(repos)
				tt.change(f, s)
				o := unlimited()
				o.DryRun = dry
				report, err := run(t, f, s, o)
				require.ErrorIs(t, err, tt.kind)
				require.Empty(t, report.Changes)
				calls := f.made(false)
				if len(calls) == 2 && len(tt.calls) == 1 { // the listing has two pages
					calls = calls[:1]
				}
				require.Equal(t, tt.calls, calls)
			}
		})
	}
	t.Run("two ids", func(t *testing.T) {
		t.Parallel()
		repos, _ := fleet(1)
		f := newFake(repos)
		twice := []provider.Project{{Name: "a", ID: "1"}, {Name: "b", ID: "2"}, {Name: "a", ID: "3"}}
		_, err := run(t, f, reconcile.WantedList(twice), unlimited())
		require.ErrorIs(t, err, provider.ErrInvalidRequest)
		require.Empty(t, f.made(true))
		twice[2].ID = "1"
		_, err = run(t, f, reconcile.WantedList(twice), unlimited())
		require.NoError(t, err)
		require.Equal(t, []string{"create a", "create b", "release w0"}, sorted(f.made(true)))
	})
}

// The service has the last word: what it says right before decides, and when it can't say, nothing is let go of.
func TestAskedAgain(t *testing.T) {
	t.Parallel()
	world := func() (*fake, *service) {
		repos, s := fleet(10)
		repos["x"], repos["y"] = old("x"), orphan("y", 3*day)
		return newFake(repos), s
	}
	t.Run("wanted by now", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			for _, dry := range []bool{false, true} {
				f, s := world()
				f.intercept = func(_ context.Context, c call, do func() error) error {
					if c.name == "read tags" { // after the list was made
						s.set("x", "id-other")
						s.set("y", "id-y")
					}
					return do()
				}
				o := unlimited()
				o.DryRun = dry
				report, err := run(t, f, s, o)
				require.NoError(t, err)
				require.Empty(t, report.Changes)
				require.Empty(t, f.made(true))
				require.Equal(t, map[string]string{"x": "its project is wanted again", "y": "its project is wanted again"}, left(report))
			}
		})
	})
	t.Run("wanted by now, without ids", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			for _, ids := range [][2]string{{"", "id-y"}, {"id-y", ""}, {"", ""}} {
				f, s := world()
				f.repos["y"].id = ids[0]
				f.intercept = func(_ context.Context, c call, do func() error) error {
					if c.name == "read tags" {
						s.set("y", ids[1])
					}
					return do()
				}
				report, err := run(t, f, s, unlimited())
				require.NoError(t, err)
				require.Equal(t, "its project is wanted again", left(report)["y"])
				require.Contains(t, f.repos, "y")
			}
		})
	})
	t.Run("another's by now", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			f, s := world()
			reads := 0
			f.intercept = func(_ context.Context, c call, do func() error) error {
				if c.name+c.project == "read tagsx" {
					if reads++; reads == 2 {
						f.mu.Lock()
						f.repos["x"].id = "id-new"
						f.mu.Unlock()
					}
				}
				return do()
			}
			_, err := run(t, f, s, unlimited())
			requireAbout(t, err, provider.ErrNotOurs, "x")
			require.False(t, f.repos["x"].orphaned)
		})
	})
	t.Run("about another", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			f, s := world()
			_, err := run(t, f, mistaken{s}, unlimited())
			requireAbout(t, err, provider.ErrUnavailable, "x")
			requireAbout(t, err, provider.ErrUnavailable, "y")
			require.Empty(t, f.made(true))
		})
	})
	t.Run("gone before it is made", func(t *testing.T) {
		t.Parallel()
		for _, dry := range []bool{false, true} {
			for _, id := range []string{"", "id-new"} { // gone, or another's by now
				inBubble(t, func(t *testing.T) {
					repos, s := fleet(10)
					s.set("x", "id-x")
					f := newFake(repos)
					f.intercept = func(_ context.Context, c call, do func() error) error {
						if c.name == "read description" {
							s.remove("x")
							if id != "" {
								s.set("x", id)
							}
						}
						return do()
					}
					o := unlimited()
					o.DryRun = dry
					report, err := run(t, f, s, o)
					require.NoError(t, err)
					require.Equal(t, 1, report.Created)
					require.Equal(t, !dry, report.Released == 1)
					require.Equal(t, !dry, f.repos["x"] != nil && f.repos["x"].orphaned)
				})
			}
		}
	})
	t.Run("can't say", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			f, s := world()
			s.again["x"], s.again["y"] = errors.New("down"), provider.ErrThrottled
			report, err := run(t, f, s, unlimited())
			requireAbout(t, err, provider.ErrUnavailable, "x")
			requireAbout(t, err, provider.ErrThrottled, "y")
			require.Equal(t, 2, report.Failures)
			require.Empty(t, f.made(true))
		})
	})
	t.Run("empty by now", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			f, _ := world()
			asked := 0
			report, err := run(t, f, reconcile.WantedFunc(func(context.Context) ([]provider.Project, error) {
				if asked++; asked > 1 {
					return nil, nil
				}
				return []provider.Project{{Name: "w0"}, {Name: "w1"}, {Name: "w2"}, {Name: "w3"}, {Name: "w4"}, {Name: "w5"}, {Name: "w6"}, {Name: "w7"}, {Name: "w8"}, {Name: "w9"}}, nil
			}), reconcile.Options{Rate: -1, Concurrency: 1})
			require.ErrorIs(t, err, provider.ErrUnavailable)
			require.Equal(t, 2, report.Failures)
			require.Empty(t, f.made(true))
		})
	})
	t.Run("gone, and what was made for it", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			for _, id := range []string{"id-x", ""} {
				repos, s := fleet(10)
				s.set("x", id)
				f := newFake(repos)
				f.intercept = func(_ context.Context, c call, do func() error) error {
					if c.name == "create" {
						s.remove("x")
					}
					return do()
				}
				_, err := run(t, f, s, unlimited())
				require.NoError(t, err)
				require.Equal(t, id != "", f.repos["x"].orphaned, "without an id it may be another's by now")
			}
		})
	})
	t.Run("comes and goes", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			f, s := world()
			f.intercept = func(_ context.Context, c call, do func() error) error {
				switch c.name + " " + c.project {
				case "release x":
					s.set("x", "id-x")
				case "restore x":
					s.remove("x")
				}
				return do()
			}
			_, err := run(t, f, s, unlimited())
			requireAbout(t, err, provider.ErrConflict, "x")
			require.Equal(t, []string{"x"}, f.repos["x"].images)
		})
	})
}

// mistaken answers about another project than it is asked for.
type mistaken struct{ *service }

func (mistaken) Project(context.Context, string) (provider.Project, bool, error) {
	return provider.Project{Name: "w0"}, true, nil
}

func TestWantedList(t *testing.T) {
	t.Parallel()
	projects := []provider.Project{{Name: "a"}, {Name: "b"}}
	w := reconcile.WantedList(projects)
	projects[0].Name = "c"
	for name, wanted := range map[string]bool{"a": true, "b": true, "c": false} {
		p, ok, err := w.Project(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, wanted, ok)
		require.Equal(t, wanted, p.Name == name)
	}
}

// twice lists a repository on two pages, the second time as what took its place meanwhile.
type twice struct {
	*fake
	silently func()
}

func (w twice) ListRepositories(ctx context.Context) iter.Seq2[repository.Repository, error] {
	return func(yield func(repository.Repository, error) bool) {
		for r, err := range w.fake.ListRepositories(ctx) {
			if err != nil {
				yield(r, err)
				return
			}
			again := r
			again.CreatedAt = time.Now()
			if !yield(r, nil) || !yield(again, nil) || !yield(r, nil) {
				return
			}
			if w.silently != nil {
				w.silently()
				return
			}
		}
	}
}

func TestListedTwice(t *testing.T) {
	t.Parallel()
	repos, s := fleet(10)
	repos["x"] = old("x")
	f := newFake(repos)
	r, err := reconcile.New(twice{fake: f}, s, unlimited())
	require.NoError(t, err)
	report, err := r.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 11, report.Listed)
	require.Equal(t, 10, report.Audited)
	require.Equal(t, map[string]string{"x": "it is younger than an hour"}, left(report))

	ctx, cancel := context.WithCancel(t.Context())
	r, err = reconcile.New(twice{f, cancel}, s, unlimited())
	require.NoError(t, err)
	s.step = func(context.Context, string, func() error) error { panic("asked") }
	_, err = r.Run(ctx)
	require.ErrorIs(t, err, provider.ErrTimeout)
}

// A single failure ends nothing; all of them are reported, the first hundred in full.
func TestFailures(t *testing.T) {
	t.Parallel()
	repos, s := fleet(300)
	for i := range 250 {
		s.set(fmt.Sprintf("m%d", i), "")
	}
	f := newFake(repos)
	f.intercept = func(_ context.Context, c call, do func() error) error {
		if c.name == "create" && c.project != "m7" {
			return fmt.Errorf("no room for %s", c.project)
		}
		return do()
	}
	report, err := run(t, f, s, unlimited())
	require.Equal(t, 249, report.Failures)
	require.Equal(t, 1, report.Created)
	require.Contains(t, f.repos, "m7")
	require.Equal(t, provider.ErrUnavailable, provider.KindOf(err))
	joined := err.(interface{ Unwrap() []error }).Unwrap()
	require.Len(t, joined, 101)
	require.EqualError(t, joined[100], "and 149 more failures")
	for _, err := range joined[:100] {
		e, ok := errors.AsType[*provider.Error](err)
		require.True(t, ok)
		require.NotEmpty(t, e.Project)
		require.True(t, strings.HasSuffix(err.Error(), "no room for "+e.Project))
	}
}

// Each failure is about its project, whatever the provider says; and a call that took too long is one, as long as the run
// itself has time.
func TestFailuresNameProjects(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{
		&provider.Error{Kind: provider.ErrTimeout, Op: "do it"},
		&provider.Error{Kind: provider.ErrTimeout, Op: "do it", Project: "another"},
		context.DeadlineExceeded,
	} {
		repos, s := fleet(5)
		repos["x"] = old("x")
		s.set("m", "")
		f := newFake(repos)
		f.intercept = func(_ context.Context, c call, do func() error) error {
			if c.project != "" {
				return cause
			}
			return do()
		}
		report, err := run(t, f, s, unlimited())
		require.Equal(t, 7, report.Failures)
		for project := range repos {
			requireAbout(t, err, provider.ErrTimeout, project)
		}
		requireAbout(t, err, provider.ErrTimeout, "m")
	}
}
