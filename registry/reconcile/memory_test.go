package reconcile_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// A service's list lacks another fifth each time. What is wanted again is restored at once, however long an audit takes to
// come round, and the run that finds it orphaned releases nothing: never more than a fifth are orphans.
func TestListFlaps(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		repos, s := fleet(100)
		f := newFake(repos)
		o := unlimited()
		o.AuditBudget = -1
		r, err := reconcile.New(f, s, o)
		require.NoError(t, err)
		for i := range 6 {
			for j := range 100 {
				if name := fmt.Sprintf("w%d", j); j/20 == i {
					s.remove(name)
				} else {
					s.set(name, "id-"+name)
				}
			}
			report, err := r.Run(t.Context())
			orphans := 0
			for _, r := range f.repos {
				if r.orphaned {
					orphans++
				}
			}
			if i%2 == 1 {
				require.Zero(t, orphans)
				require.Equal(t, 20, report.Restored)
				require.Equal(t, i < 5, report.Guard.Held) // then nothing is left over
				require.Equal(t, i < 5, errors.Is(err, provider.ErrConflict))
				continue
			}
			require.NoError(t, err)
			require.Equal(t, 20, orphans)
			time.Sleep(10 * time.Minute)
		}
		f.reset()
		_, err = r.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"list"}, f.made(false), "what was restored is forgotten")
	})
}

// A list that lacks a project twice, more than remove_after apart, removes no images of it.
func TestLostTwice(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		repos, s := fleet(10)
		f := newFake(repos)
		o := unlimited()
		o.AuditBudget = -1
		r, err := reconcile.New(f, s, o)
		require.NoError(t, err)
		lose := func() {
			s.remove("w3")
			_, err = r.Run(t.Context())
			require.NoError(t, err)
			s.set("w3", "id-w3")
		}
		lose()
		require.True(t, f.repos["w3"].orphaned)
		for range 30 {
			time.Sleep(time.Hour)
			_, err = r.Run(t.Context())
			require.NoError(t, err)
		}
		lose()
		require.Contains(t, f.repos, "w3")
		require.Equal(t, []string{"w3"}, f.repos["w3"].images)
	})
}

// An orphan of a former project that was seen while nobody wanted its name is reported from the next run on, and purged in time.
func TestFormerOwnerRemembered(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		repos, s := fleet(10)
		repos["x"] = orphan("x", time.Hour)
		f := newFake(repos)
		o := unlimited()
		o.AuditBudget = -1
		r, err := reconcile.New(f, s, o)
		require.NoError(t, err)
		_, err = r.Run(t.Context())
		require.NoError(t, err)
		s.set("x", "id-new")
		_, err = r.Run(t.Context())
		requireAbout(t, err, provider.ErrOrphaned, "x")
		time.Sleep(day)
		report, err := r.Run(t.Context())
		requireAbout(t, err, provider.ErrOrphaned, "x")
		require.Equal(t, []string{"x: remove"}, done(report))
		report, err = r.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"x: create"}, done(report))
	})
}

// What somebody else restored speaks against what this reconciler takes for unwanted, and not in the run that finds it alone.
func TestReturnedSpeaksForADay(t *testing.T) {
	t.Parallel()
	for _, pause := range []time.Duration{time.Minute, time.Hour} {
		inBubble(t, func(t *testing.T) {
			repos, s := fleet(1000) // more than the audit reads
			repos["a"], repos["b"] = orphan("a", time.Hour), orphan("b", time.Hour)
			f := newFake(repos)
			r, err := reconcile.New(f, s, unlimited())
			require.NoError(t, err)
			leaves := func(i int) (reconcile.Report, error) {
				repos[fmt.Sprintf("x%d", i)] = old("x") // so that there is something to release
				return r.Run(t.Context())
			}
			_, err = leaves(0)
			require.NoError(t, err)
			time.Sleep(day)
			f.mu.Lock()
			repos["b"].orphaned = false // by another list, which has a as well
			f.mu.Unlock()
			for i := range 24 {
				report, err := leaves(1 + i)
				require.NoError(t, err)
				require.NotEmpty(t, report.Released)
				require.Equal(t, "it may have been wanted since it was released", left(report)["a"], "run %d", i)
				time.Sleep(pause)
			}
			if pause == time.Hour {
				_, err := leaves(100)
				require.NoError(t, err)
				require.NotContains(t, f.repos, "a")
			}
		})
	}
}
