package reconcile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// interleave runs actors at once so that one call of one of them happens at a time, in an order that random decides; with
// random nil, one actor after the other.
func interleave(random *rand.Rand, f *fake, s *service, actors []func(ctx context.Context)) {
	type request struct {
		actor  int
		resume chan struct{}
	}
	type key struct{}
	requests, ended := make(chan request), make(chan int)
	step := func(ctx context.Context, do func() error) error {
		if actor, ok := ctx.Value(key{}).(int); ok && random != nil {
			r := request{actor, make(chan struct{})}
			requests <- r
			<-r.resume
		}
		return do()
	}
	f.intercept = func(ctx context.Context, _ call, do func() error) error { return step(ctx, do) }
	s.step = func(ctx context.Context, _ string, do func() error) error { return step(ctx, do) }
	defer func() { f.intercept, s.step = nil, nil }()
	if random == nil {
		for i, actor := range actors {
			actor(context.WithValue(context.Background(), key{}, i))
		}
		return
	}
	for i, actor := range actors {
		go func() {
			actor(context.WithValue(context.Background(), key{}, i))
			ended <- i
		}()
	}
	waiting, busy := map[int]request{}, len(actors)
	for {
		for busy > 0 {
			select {
			case r := <-requests:
				waiting[r.actor] = r
			case <-ended:
			}
			busy--
		}
		if len(waiting) == 0 {
			return
		}
		var actors []int
		for actor := range waiting {
			actors = append(actors, actor)
		}
		slices.Sort(actors)
		next := actors[random.IntN(len(actors))]
		r := waiting[next]
		delete(waiting, next)
		busy = 1
		close(r.resume)
	}
}

// Ensure, release and two reconcilers, interleaved call by call: the end is one that some order of them, one after the
// other, leads to, and images survive in all of them, unless they were orphaned long ago. Where somebody ensures what the
// service doesn't want, a reconciler may find it restored when it comes to purge it; the next one will release it then.
func TestInterleaved(t *testing.T) {
	t.Parallel()
	x := provider.Project{Name: "x", ID: "id-x"}
	ensure := func(f *fake, _ *service, ctx context.Context) {
		_, _ = f.EnsureRepository(ctx, x, repository.EnsureOptions{})
	}
	release := func(f *fake, _ *service, ctx context.Context) { _, _ = f.ReleaseRepository(ctx, x) }
	// A service has a project before it makes its repository, and has none any more before it releases it.
	arrive := func(f *fake, s *service, ctx context.Context) {
		_ = s.ask(ctx, "x", func() { s.projects["x"] = "id-x" })
		ensure(f, s, ctx)
	}
	leave := func(f *fake, s *service, ctx context.Context) {
		_ = s.ask(ctx, "x", func() { delete(s.projects, "x") })
		release(f, s, ctx)
	}
	reconciler := func(f *fake, s *service, ctx context.Context) {
		r, err := reconcile.New(f, s, reconcile.Options{Rate: -1, Concurrency: 1})
		if err == nil {
			_, _ = r.Run(ctx)
		}
	}
	type operation = func(*fake, *service, context.Context)
	sets := map[string][]operation{
		"ensure and release": {ensure, release, reconciler, reconciler},
		"ensure":             {ensure, reconciler, reconciler},
		"release":            {release, reconciler, reconciler},
		"arrive":             {arrive, reconciler, reconciler},
		"leave":              {leave, reconciler, reconciler},
		"leave and arrive":   {func(f *fake, s *service, ctx context.Context) { leave(f, s, ctx); arrive(f, s, ctx) }, reconciler, reconciler},
		"arrive and leave":   {func(f *fake, s *service, ctx context.Context) { arrive(f, s, ctx); leave(f, s, ctx) }, reconciler, reconciler},
	}
	starts := map[string]func() *repo{
		"none":            func() *repo { return nil },
		"active":          func() *repo { return old("x") },
		"drifted":         func() *repo { return with(old("x"), func(r *repo) { r.drift, r.unlifecycle = true, true }) },
		"young":           func() *repo { return with(old("x"), func(r *repo) { r.createdAt = time.Now() }) },
		"orphaned":        func() *repo { return orphan("x", time.Hour) },
		"orphaned 2 days": func() *repo { return orphan("x", 2*day) },
		"without id":      func() *repo { return with(old("x"), func(r *repo) { r.id = "" }) },
		"stranger's":      func() *repo { return with(old("x"), func(r *repo) { r.another = "stranger's" }) },
	}
	for setName, set := range sets {
		for startName, start := range starts {
			for _, wanted := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, wanted %v", setName, startName, wanted), func(t *testing.T) {
					t.Parallel()
					attempt := func(random *rand.Rand, order []int) (end string, trace []string) {
						inBubble(t, func(*testing.T) {
							repos, s := fleet(6)
							if r := start(); r != nil {
								repos["x"] = r
							}
							if wanted {
								s.set("x", "id-x")
							}
							f := newFake(repos)
							var actors []func(context.Context)
							for _, i := range order {
								actors = append(actors, func(ctx context.Context) { set[i](f, s, ctx) })
							}
							interleave(random, f, s, actors)
							if r := f.repos["x"]; r != nil && r.orphaned && r.images == nil {
								delete(f.repos, "x") // nobody can use it, and nothing is in it
							}
							end = fmt.Sprintf("%vwanted %q", f.states(), s.projects["x"])
							trace = f.made(true)
						})
						return end, trace
					}
					serial := map[string]bool{}
					for _, order := range permutations(len(set)) {
						end, _ := attempt(nil, order)
						serial[end] = true
						if strings.HasPrefix(setName, "ensure") && !wanted { // and a reconciler that lets it be
							end, _ = attempt(nil, slices.DeleteFunc(order, func(i int) bool { return i >= len(set)-2 }))
							serial[end] = true
						}
					}
					for seed := range seeds {
						random := rand.New(rand.NewPCG(1, seed))
						end, trace := attempt(random, random.Perm(len(set)))
						require.True(t, serial[end], "seed %d ended with\n%s\nafter %v; in some order it would be one of %v", seed, end, trace, serial)
						if ripe := strings.Contains(startName, "2 days"); start() != nil && !ripe {
							require.Contains(t, end, "images=[x]", "seed %d, after %v", seed, trace)
						}
						for i := range 6 {
							require.Contains(t, end, fmt.Sprintf("images=[w%d]", i))
						}
					}
				})
			}
		}
	}
}

// seeds is how many interleavings are tried in each case: there are more than a hundred.
const seeds uint64 = 40

func permutations(n int) (all [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, p := range permutations(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(p), i, n-1))
		}
	}
	return all
}
