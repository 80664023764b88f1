package reconcile_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// slow makes every call take a while, and counts how many are made at once.
func slow(f *fake, latency time.Duration) (most *atomic.Int64) {
	most = new(atomic.Int64)
	var now atomic.Int64
	f.intercept = func(ctx context.Context, _ call, do func() error) error {
		most.Store(max(most.Load(), now.Add(1))) // near enough: calls begin together
		defer now.Add(-1)
		select {
		case <-time.After(latency):
			return do()
		case <-ctx.Done():
			return &provider.Error{Kind: provider.ErrTimeout, Err: ctx.Err()}
		}
	}
	return most
}

// So many operations at once, and so many in a second.
func TestPace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		concurrency, rate int
		latency           time.Duration
		most              int64
		takes             time.Duration
	}{
		{0, -1, time.Second, 8, time.Second + 13*2*time.Second},
		{3, -1, time.Second, 3, time.Second + 34*2*time.Second},
		{0, 0, 0, 1, 5 * time.Second},
		{100, 50, 0, 1, 2 * time.Second},
		{0, 0, time.Second, 8, 27 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			repos, s := fleet(1)
			for i := range 100 {
				s.set(fmt.Sprintf("m%d", i), "")
			}
			f := newFake(repos)
			most := slow(f, tt.latency)
			start := time.Now()
			report, err := run(t, f, s, reconcile.Options{Concurrency: tt.concurrency, Rate: tt.rate, AuditBudget: -1})
			require.NoError(t, err)
			require.Equal(t, 100, report.Created)
			require.LessOrEqual(t, most.Load(), tt.most)
			require.InDelta(t, tt.takes.Seconds(), time.Since(start).Seconds(), 0.2*tt.takes.Seconds())
		})
	}
}

// When its context ends, a run does too, at once, whatever it does at the moment.
func TestEnds(t *testing.T) {
	t.Parallel()
	for _, o := range []reconcile.Options{{}, {Rate: 1}, {DryRun: true}, {Concurrency: 1}} {
		for tenths := range 300 {
			synctest.Test(t, func(t *testing.T) {
				repos, s := fleet(10)
				for i := range 10 {
					s.set(fmt.Sprintf("m%d", i), fmt.Sprintf("id-%d", i))
				}
				repos["x"], repos["y"] = old("x"), orphan("y", 2*day)
				f := newFake(repos)
				slow(f, 300*time.Millisecond)
				after := time.Duration(tenths) * 100 * time.Millisecond
				ctx, cancel := context.WithTimeout(t.Context(), after)
				defer cancel()
				if tenths%2 == 0 { // a deadline that is known, and an end that isn't
					ctx, cancel = context.WithCancel(t.Context())
					defer cancel()
					time.AfterFunc(after, cancel)
				}
				r, err := reconcile.New(f, s, o)
				require.NoError(t, err)
				start := time.Now()
				report, err := r.Run(ctx)
				require.LessOrEqual(t, time.Since(start), after)
				read := 0
				for _, c := range f.made(false) {
					if strings.HasPrefix(c, "read tags w") {
						read++
					}
				}
				require.LessOrEqual(t, report.Audited, read)
				require.Zero(t, report.Failures, "being stopped is no project's failure: %v", err)
				if err != nil {
					require.Equal(t, provider.ErrTimeout, provider.KindOf(err))
				} else if !o.DryRun {
					require.Equal(t, 10, report.Created)
					require.NotContains(t, f.repos, "y")
				}
				if tenths == 299 && o.Rate == 0 && o.Concurrency == 0 {
					require.NoError(t, err)
				}
			})
		}
	}
}

// A source or a provider that takes the end of the context for that of its list isn't believed.
func TestEndsWhileListing(t *testing.T) {
	t.Parallel()
	repos, s := fleet(10)
	repos["x"] = old("x")
	f := newFake(repos)
	for _, early := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		if early {
			cancel()
		}
		r, err := reconcile.New(f, reconcile.WantedFunc(func(context.Context) ([]provider.Project, error) {
			cancel()
			return []provider.Project{{Name: "w0"}}, nil
		}), unlimited())
		require.NoError(t, err)
		report, err := r.Run(ctx)
		require.ErrorIs(t, err, provider.ErrTimeout)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, report.Wanted)
		require.Empty(t, f.made(true))
		require.Equal(t, s.projects["w0"], f.repos["w0"].id)
	}
}

// What was counted in part isn't the guard's, and whoever is stopped asks the service no more.
func TestEndsBeforeGuard(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"read tags", "release"} {
		repos, s := fleet(10)
		for i := range 50 {
			repos[fmt.Sprintf("x%d", i)] = old(fmt.Sprintf("x%d", i))
		}
		f := newFake(repos)
		ctx, cancel := context.WithCancel(t.Context())
		calls, asked := 0, 0
		f.intercept = func(_ context.Context, c call, do func() error) error {
			if c.name == at {
				if calls++; calls == 50 || at == "release" {
					cancel()
				}
			}
			return do()
		}
		s.step = func(_ context.Context, name string, do func() error) error {
			if name != "" {
				asked++
			}
			return do()
		}
		o := reconcile.Options{Rate: -1, Concurrency: 1}
		if at == "release" {
			o.MaxOrphanedPercent = 100
		}
		r, err := reconcile.New(f, s, o)
		require.NoError(t, err)
		report, err := r.Run(ctx)
		require.Equal(t, provider.ErrTimeout, provider.KindOf(err))
		require.NotErrorIs(t, err, provider.ErrConflict)
		require.False(t, report.Guard.Held)
		require.LessOrEqual(t, asked, 2)
	}
}

// Progress is told phase by phase, one step after the other, and never twice at once.
func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		repos, s := fleet(1500)
		s.set("m1", "")
		s.set("m2", "")
		repos["w3"].drift = true
		repos["x"], repos["y"], repos["z"] = old("x"), orphan("y", 2*day), orphan("z", time.Hour)
		f := newFake(repos)
		slow(f, time.Millisecond)
		var all []reconcile.Progress
		var busy atomic.Bool
		o := unlimited()
		o.AuditBudget, o.MaxOrphanedPercent = 6, 100 // which so few of so many would hold back
		o.Progress = func(p reconcile.Progress) {
			require.False(t, busy.Swap(true))
			runtime.Gosched()
			busy.Store(false)
			all = append(all, p)
		}
		_, err := run(t, f, s, o)
		require.NoError(t, err)
		require.Equal(t, []reconcile.Progress{
			{reconcile.PhaseList, 0, 0},
			{reconcile.PhaseList, 1000, 0},
			{reconcile.PhaseList, 1503, 0},
			{reconcile.PhaseWanted, 0, 0},
			{reconcile.PhaseWanted, 1000, 0},
			{reconcile.PhaseWanted, 1502, 0},
			{reconcile.PhaseCreate, 0, 2},
			{reconcile.PhaseCreate, 1, 2},
			{reconcile.PhaseCreate, 2, 2},
			{reconcile.PhaseMend, 0, 1},
			{reconcile.PhaseMend, 1, 1},
			{reconcile.PhaseOwners, 0, 3},
			{reconcile.PhaseOwners, 1, 3},
			{reconcile.PhaseOwners, 2, 3},
			{reconcile.PhaseOwners, 3, 3},
			{reconcile.PhaseAudit, 0, 1500},
			{reconcile.PhaseAudit, 1, 1500},
			{reconcile.PhaseAudit, 2, 1500},
			{reconcile.PhaseAudit, 3, 1500},
			{reconcile.PhaseRelease, 0, 1},
			{reconcile.PhaseRelease, 1, 1},
			{reconcile.PhasePurge, 0, 1},
			{reconcile.PhasePurge, 1, 1},
		}, all)
	})
}

// The rate's turn doesn't come between the service's last word and the removal.
func TestPurgeTurn(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		repos, s := fleet(2)
		f := newFake(repos)
		for i := range 8 {
			repos[fmt.Sprintf("r%d", i)] = orphan(fmt.Sprintf("r%d", i), 3*day)
		}
		asked := map[string]time.Time{}
		var worst time.Duration
		s.step = func(_ context.Context, name string, do func() error) error {
			s.mu.Lock()
			asked[name] = time.Now()
			s.mu.Unlock()
			return do()
		}
		f.intercept = func(_ context.Context, c call, do func() error) error {
			if c.name == "remove" {
				s.mu.Lock()
				worst = max(worst, time.Since(asked[c.project]))
				s.mu.Unlock()
			}
			return do()
		}
		_, err := run(t, f, s, reconcile.Options{Rate: 1, AuditBudget: -1})
		require.NoError(t, err)
		require.Len(t, f.repos, 2)
		require.Zero(t, worst)
	})
}
