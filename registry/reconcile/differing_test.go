package reconcile_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// orders is how many orders of lists TestDifferingLists tries of each kind:
// go test ./registry/reconcile -run TestDifferingLists -timeout 1h -args -orders 500
var orders = flag.Int("orders", 1, "how many orders of differing lists are tried of each kind")

// flock is many live projects and the lists that lack a part of them each.
type flock struct {
	*fake
	projects []provider.Project
	parts    [][]bool // whether a list lacks a project
}

// newFlock is size live projects, and as many lists as there are parts, each of which lacks another: at random, or a stretch.
func newFlock(size, parts int, random *rand.Rand, stretches bool) flock {
	f := flock{fake: newFake(map[string]*repo{}), parts: make([][]bool, parts)}
	f.quiet = true
	for i := range size {
		p := provider.Project{Name: fmt.Sprintf("p%04d", i), ID: fmt.Sprintf("id-p%04d", i)}
		f.projects = append(f.projects, p)
		f.repos[p.Name] = old(p.Name)
	}
	place := random.Perm(size)
	if stretches {
		for i := range place {
			place[i] = i
		}
	}
	for k := range parts {
		f.parts[k] = make([]bool, size)
		for i, at := range place {
			f.parts[k][i] = at*parts/size == k
		}
	}
	return f
}

// without is the list that lacks a part.
func (f flock) without(part int) []provider.Project {
	var list []provider.Project
	for i, p := range f.projects {
		if !f.parts[part][i] {
			list = append(list, p)
		}
	}
	return list
}

func (f flock) orphaned() (n int) {
	for _, r := range f.repos {
		if r.orphaned {
			n++
		}
	}
	return n
}

// changing is a list that each run has anew.
type changing struct{ list []provider.Project }

func (c *changing) wanted() reconcile.Wanted {
	return reconcile.WantedFunc(func(context.Context) ([]provider.Project, error) { return c.list, nil })
}

// Whatever order the lists come in that lack another part each, day after day: never are more than the limit orphaned at once,
// and nothing is purged, whether each run is a process of its own or not.
func TestDifferingLists(t *testing.T) {
	t.Parallel()
	for _, size := range []int{50, 1500} {
		for _, parts := range []int{5, 10, 20} {
			for _, process := range []string{"new", "kept", "either"} {
				for _, stretches := range []bool{true, false} {
					t.Run(fmt.Sprintf("%d, %d parts, %s, stretches %v", size, parts, process, stretches), func(t *testing.T) {
						t.Parallel()
						for seed := range *orders {
							inBubble(t, func(t *testing.T) {
								random := rand.New(rand.NewPCG(uint64(seed), uint64(parts)))
								f := newFlock(size, parts, random, stretches)
								var list changing
								kept, err := reconcile.New(f, list.wanted(), unlimited())
								require.NoError(t, err)
								most, released, last := 0, 0, -1
								for range 2 {
									order := random.Perm(parts)
									if order[0] == last { // a list that lacks the same for a day is no other
										order[0], order[1] = order[1], order[0]
									}
									last = order[parts-1]
									for _, part := range order {
										r := kept
										list.list = f.without(part)
										if process == "new" || process == "either" && random.IntN(2) == 0 {
											r, err = reconcile.New(f, list.wanted(), unlimited())
											require.NoError(t, err)
										}
										report, _ := r.Run(t.Context())
										most = max(most, f.orphaned())
										released += report.Released
										require.LessOrEqual(t, f.orphaned(), size/5, "seed %d", seed)
										require.Zero(t, report.Purged, "seed %d", seed)
										time.Sleep(time.Duration(random.IntN(70)) * time.Minute)
									}
									time.Sleep(day)
								}
								require.Len(t, f.repos, size)
								t.Logf("at most %d orphaned at once, %d released in all", most, released)
							})
						}
					})
				}
			}
		}
	}
}

// Runs that overlap have the limit each for themselves; a lease keeps them apart.
func TestOverlapping(t *testing.T) {
	t.Parallel()
	for _, overlapping := range []int{2, 3, 4} {
		for _, leased := range []bool{false, true} {
			inBubble(t, func(t *testing.T) {
				f := newFlock(50, 5, rand.New(rand.NewPCG(1, 1)), false)
				lease := make(chan struct{}, 1)
				o := unlimited()
				if leased {
					o.Lease = func(ctx context.Context) (context.Context, func(), error) {
						lease <- struct{}{}
						return ctx, func() { <-lease }, nil
					}
				}
				var wait sync.WaitGroup
				for part := range overlapping {
					list := newService()
					for _, p := range f.without(part) {
						list.set(p.Name, p.ID)
					}
					list.step = func(_ context.Context, name string, do func() error) error {
						if name != "" { // until the others' guards have counted too
							time.Sleep(time.Minute)
						}
						return do()
					}
					wait.Go(func() {
						r, err := reconcile.New(f, list, o)
						require.NoError(t, err)
						_, _ = r.Run(t.Context())
					})
				}
				wait.Wait()
				require.Len(t, f.repos, 50)
				if leased {
					require.LessOrEqual(t, f.orphaned(), 10)
				} else {
					require.Equal(t, overlapping*10, f.orphaned())
				}
			})
		}
	}
}
