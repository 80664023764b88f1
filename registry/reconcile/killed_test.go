package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// everything is a world in which a run has each kind of work to do.
func everything() (*fake, *service) {
	repos, s := fleet(12)
	set := func(name string, r *repo) { repos[name] = r }
	for _, name := range []string{"missing", "missing-2", "drifted", "unlifecycle", "both", "back"} {
		s.set(name, "id-"+name)
	}
	set("drifted", with(old("drifted"), func(r *repo) { r.drift = true }))
	set("unlifecycle", with(old("unlifecycle"), func(r *repo) { r.unlifecycle = true }))
	set("both", with(old("both"), func(r *repo) { r.drift, r.unlifecycle = true, true }))
	set("back", orphan("back", 3*day))
	set("left", old("left"))
	set("left-2", with(old("left-2"), func(r *repo) { r.id = "" }))
	set("ripe", orphan("ripe", 2*day))
	set("unripe", orphan("unripe", time.Hour))
	set("young", with(old("young"), func(r *repo) { r.createdAt = time.Now() }))
	set("stranger", with(old("stranger"), func(r *repo) { r.another = "stranger's" }))
	set("strange-orphan", with(orphan("strange-orphan", 90*day), func(r *repo) { r.another = "stranger's" }))
	set("former", orphan("former", 2*day)) // its name has another project by now
	s.set("former", "id-new")
	return newFake(repos), s
}

// A fault is what goes wrong with one call, of the provider or of the service.
type fault struct {
	way      string
	executed bool // whether the call takes effect
	kills    bool // whether the process ends
}

var faults = []fault{
	{"killed before", false, true}, {"killed after", true, true}, {"failed", false, false}, {"lost", true, false},
}

// faulty lets f happen to the nth call of that name.
type faulty struct {
	mu     sync.Mutex
	seen   map[string]int
	names  []string // all calls, as "read tags x 1"
	target string
	fault  fault
	cancel func()
	hit    bool
}

func (f *faulty) through(ctx context.Context, name string, do func() error) error {
	f.mu.Lock()
	f.seen[name]++
	id := fmt.Sprintf("%s %d", name, f.seen[name])
	f.names = append(f.names, id)
	hit := id == f.target
	f.hit = f.hit || hit
	f.mu.Unlock()
	if !hit {
		return do()
	}
	if f.fault.executed {
		if err := do(); err != nil {
			return err
		}
	}
	if f.fault.kills {
		f.cancel()
		return &provider.Error{Kind: provider.ErrTimeout, Err: ctx.Err()}
	}
	return provider.ErrUnavailable
}

// attempt is one run in which target goes wrong.
func (f *faulty) attempt(t *testing.T, world *fake, s *service, o reconcile.Options) error {
	t.Helper()
	f.seen = map[string]int{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.cancel = cancel
	world.intercept = func(ctx context.Context, c call, do func() error) error {
		return f.through(ctx, c.name+" "+c.project, do)
	}
	s.step = func(ctx context.Context, name string, do func() error) error { return f.through(ctx, "ask "+name, do) }
	r, err := reconcile.New(world, s, o)
	require.NoError(t, err)
	_, err = r.Run(ctx)
	world.intercept, s.step = nil, nil
	return err
}

// Whatever call a run is stopped at, or that fails, or whose answer is lost: running it again leads to the state that it
// would have led to, and meanwhile no image is lost that shouldn't be, and nobody else's repository is touched.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, concurrency := range []int{1, 8} {
		t.Run(strconv.Itoa(concurrency), func(t *testing.T) {
			t.Parallel()
			o := reconcile.Options{Rate: -1, Concurrency: concurrency}
			var positions []string
			var first, second, third string
			inBubble(t, func(t *testing.T) {
				f, s := everything()
				clean := &faulty{}
				requireAbout(t, clean.attempt(t, f, s, o), provider.ErrOrphaned, "former")
				first, positions = f.states(), clean.names
				_, err := run(t, f, s, o)
				require.NoError(t, err)
				second = f.states()
				_, err = run(t, f, s, o)
				require.NoError(t, err)
				third = f.states()
			})
			require.NotEqual(t, first, second, "what has the former's name was made")
			require.Equal(t, second, third)
			require.Greater(t, len(positions), 60)
			for _, target := range positions {
				for _, fault := range faults {
					inBubble(t, func(t *testing.T) {
						f, s := everything()
						k := &faulty{target: target, fault: fault}
						err := k.attempt(t, f, s, o)
						require.True(t, k.hit, target)
						require.Error(t, err, "%s %s", target, fault.way)
						if fault.kills {
							require.Equal(t, provider.ErrTimeout, provider.KindOf(err), "%s %s: %v", target, fault.way, err)
						}
						harmless(t, f)
						_, _ = run(t, f, s, o)
						harmless(t, f)
						if f.state("former") == "none" || len(f.repos["former"].images) > 0 {
							_, err = run(t, f, s, o) // it takes a run more, to be made after it was purged
							require.NoError(t, err)
						}
						require.Equal(t, second, f.states(), "%s %s", target, fault.way)
						_, err = run(t, f, s, o)
						require.NoError(t, err)
						require.Equal(t, second, f.states(), "%s %s", target, fault.way)
					})
				}
			}
		})
	}
}

func harmless(t *testing.T, f *fake) {
	t.Helper()
	_, untouched := everything()
	for name := range untouched.projects {
		if name != "former" && name != "missing" && name != "missing-2" {
			require.Equal(t, []string{name}, f.repos[name].images)
		}
	}
	before, _ := everything()
	for _, name := range []string{"stranger", "strange-orphan", "young", "unripe"} {
		require.Equal(t, before.state(name), f.state(name))
	}
	for _, name := range []string{"left", "left-2"} {
		require.Equal(t, []string{name}, f.repos[name].images)
	}
	require.False(t, slices.ContainsFunc(f.calls, func(c call) bool {
		return c.name == "remove" && c.project != "ripe" && c.project != "former"
	}))
}
