package reconcile_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// crowd is a provider with many repositories that keeps none of them, and a service with as many projects.
type crowd struct {
	*fake
	n, orphans int
	calls      atomic.Int64
}

func (c *crowd) name(i int) string { return fmt.Sprintf("customer-project-%07d", i) }

func (c *crowd) ListRepositories(context.Context) iter.Seq2[provider.Repository, error] {
	return func(yield func(provider.Repository, error) bool) {
		created := time.Now().Add(-100 * day)
		for i := range c.n + c.orphans {
			if i%page == 0 {
				c.calls.Add(1)
			}
			name := "rise/" + c.name(i)
			if !yield(provider.Repository{Project: name[len("rise/"):], Name: name, CreatedAt: created}, nil) {
				return
			}
		}
	}
}

func (c *crowd) EnsureRepository(_ context.Context, p provider.Project, _ provider.EnsureOptions) (provider.RepositoryChange, error) {
	c.calls.Add(2)
	return provider.RepositoryChange{Project: p.Name, Calls: 2}, nil
}

func (c *crowd) RepositoryOwner(context.Context, string) (provider.RepositoryOwner, error) {
	c.calls.Add(1)
	return provider.RepositoryOwner{Ours: true, Orphaned: true, OrphanedAt: time.Now().Add(-20 * day)}, nil
}

func (c *crowd) Projects(context.Context) iter.Seq2[provider.Project, error] {
	return func(yield func(provider.Project, error) bool) {
		for i := range c.n {
			if !yield(provider.Project{Name: c.name(i), ID: fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i)}, nil) {
				return
			}
		}
	}
}

func (c *crowd) Project(context.Context, string) (provider.Project, bool, error) {
	panic("nothing is let go of")
}

// atScale runs once and returns by how much the heap grew at most.
func atScale(tb testing.TB, c *crowd) (reconcile.Report, uint64) {
	tb.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, most := m.HeapAlloc, uint64(0)
	var once sync.Mutex
	o := unlimited()
	o.Progress = func(reconcile.Progress) {
		once.Lock()
		defer once.Unlock()
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
	}
	r, err := reconcile.New(c, c, o)
	require.NoError(tb, err)
	report, err := r.Run(tb.Context())
	require.NoError(tb, err)
	return report, most - min(before, most)
}

// 100,000 repositories that are as they should be cost a call for each page, and the budget of the audit. Each orphan is a
// call more. It isn't parallel, as the heap is all tests'.
func TestScale(t *testing.T) {
	for _, orphans := range []int{0, 3000} {
		c := &crowd{fake: newFake(nil), n: 100_000, orphans: orphans}
		c.retention.After = 30 * day
		report, heap := atScale(t, c)
		require.Equal(t, 100_000, report.Wanted)
		require.Equal(t, 250, report.Audited)
		require.Empty(t, report.Changes)
		require.Equal(t, 500+orphans, report.Calls)
		require.LessOrEqual(t, c.calls.Load(), int64(101+500+orphans+orphans/1000))
		require.Less(t, heap, uint64(100<<20))
		t.Logf("%d calls, %d MB", c.calls.Load(), heap>>20)
	}
}

func BenchmarkRun100000(b *testing.B) {
	c := &crowd{fake: newFake(nil), n: 100_000}
	var heap uint64
	for b.Loop() {
		c.calls.Store(0)
		_, grown := atScale(b, c)
		heap = max(heap, grown)
	}
	b.ReportMetric(float64(c.calls.Load()), "calls/op")
	b.ReportMetric(float64(heap)/(1<<20), "MB-heap")
}
