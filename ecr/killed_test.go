package ecr_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// Whatever call an operation is stopped at, running it again leads to the state that it would have led to.
func TestKilled(t *testing.T) {
	t.Parallel()
	old := "1999-01-01T00:00:00Z"
	for name, tt := range map[string]struct {
		prepare   func(t *testing.T, l tenancy)
		operation string
		change    func(*ecr.Config)
	}{
		"create": {nil, "ensure", nil},
		"mend": {func(_ *testing.T, l tenancy) {
			l.UpdateRepository("rise/hello", func(r *ecrtest.Repository) {
				r.ScanOnPush, r.TagMutability, r.MutabilityExclusions, r.LifecyclePolicy = false, "MUTABLE", nil, ""
				delete(r.Tags, "team")
			})
		}, "ensure", nil},
		"ensure restores": {func(t *testing.T, l tenancy) {
			_, err := l.ReleaseRepository(t.Context(), hello)
			require.NoError(t, err)
		}, "ensure", nil},
		"release":         {func(*testing.T, tenancy) {}, "release", nil},
		"release at once": {func(*testing.T, tenancy) {}, "release", func(c *ecr.Config) { c.RemoveAfter = new(time.Duration(0)) }},
		"restore": {func(t *testing.T, l tenancy) {
			_, err := l.ReleaseRepository(t.Context(), provider.Project{Name: "hello"})
			require.NoError(t, err)
		}, "restore", nil},
		"suspend": {func(*testing.T, tenancy) {}, "suspend", nil},
		"purge": {func(_ *testing.T, l tenancy) {
			l.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.Tags["rise:orphaned"], r.Tags["rise:orphaned-at"] = "true", old })
		}, "purge", nil},
		"adopt": {func(_ *testing.T, l tenancy) {
			l.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.Tags = map[string]string{"x": "y"} })
		}, "adopt", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := func(test func(t *testing.T, l tenancy)) {
				inTenancy(t, ecrtest.Config{}, func(c *ecr.Config) {
					managing(c)
					if tt.change != nil {
						tt.change(c)
					}
				}, func(t *testing.T, l tenancy) {
					for _, bystander := range []provider.Project{{Name: "hello-2", ID: "p-9"}, {Name: "hell"}} {
						l.ensure(t, bystander)
						require.NoError(t, l.push(bystander.Name))
					}
					if tt.prepare != nil {
						l.ensure(t, hello)
						require.NoError(t, l.push("hello"))
						tt.prepare(t, l)
					}
					l.ResetCalls()
					test(t, l)
				})
			}
			var want string
			calls := 0
			run(func(t *testing.T, l tenancy) {
				_, err := l.operations()[tt.operation](t.Context())
				require.NoError(t, err)
				want, calls = l.state("rise/hello"), len(l.Calls())
			})
			require.Positive(t, calls)
			for position := range calls {
				for _, way := range []string{"before", "after", "denied", "failed", "lost"} {
					run(func(t *testing.T, l tenancy) {
						hell, hello2 := l.state("rise/hell"), l.state("rise/hello-2")
						ctx, cancel := context.WithCancel(t.Context())
						fault := ecrtest.Fault{Action: "ecr:*", Skip: position, Times: 1}
						switch way {
						case "before": // the process ends before the call
							skip := position
							fault.Reset, fault.Skip, fault.Times = true, 0, 0
							fault.If = func(ecrtest.Call) bool {
								if skip--; skip >= 0 {
									return false
								}
								cancel()
								return true
							}
						case "after": // it ends when the call is carried out
							fault.Mutate = func(body []byte) []byte { cancel(); return body }
							fault.Lost = true
						case "denied":
							fault.Error = "AccessDeniedException"
						case "failed":
							fault.Error = "LimitExceededException"
						case "lost": // the SDK tries again
							fault.Lost = true
						}
						remove := l.Inject(fault)
						_, err := l.operations()[tt.operation](ctx)
						if way == "lost" {
							require.NoError(t, err)
						}
						remove()
						cancel()
						_, err = l.operations()[tt.operation](t.Context())
						require.NoError(t, err, "%s at %d", way, position)
						require.Equal(t, want, l.state("rise/hello"), "%s at %d", way, position)
						require.Equal(t, hell+hello2, l.state("rise/hell")+l.state("rise/hello-2"))
					})
				}
			}
		})
	}
}

// Whatever way operations of several replicas interleave, the end is one that some order of them leads to, and no image of
// the project is lost.
func TestInterleaved(t *testing.T) {
	t.Parallel()
	sets := [][]string{
		{"ensure", "ensure"},
		{"ensure", "ensure", "release"},
		{"release", "release", "ensure"},
		{"ensure", "purge", "release"},
		{"restore", "purge", "release"},
		{"suspend", "ensure", "release", "lift"},
		{"adopt", "ensure", "release"},
	}
	for _, orphaned := range []bool{false, true} {
		for i, set := range sets {
			t.Run(fmt.Sprintf("%v orphaned=%v", set, orphaned), func(t *testing.T) {
				t.Parallel()
				run := func(operate func(t *testing.T, l tenancy)) (end string) {
					inTenancy(t, ecrtest.Config{}, managing, func(t *testing.T, l tenancy) {
						l.ensure(t, hello)
						require.NoError(t, l.push("hello"))
						if orphaned {
							_, err := l.ReleaseRepository(t.Context(), hello)
							require.NoError(t, err)
							time.Sleep(47 * time.Hour)
						}
						operate(t, l)
						end = l.state("rise/hello")
					})
					return end
				}
				serial := map[string]bool{}
				for order := range permutations(set) {
					serial[run(func(t *testing.T, l tenancy) {
						for _, operation := range order {
							_, _ = l.operations()[operation](t.Context())
						}
					})] = true
				}
				r := rand.New(rand.NewPCG(uint64(i), 7))
				for range 30 {
					end := run(func(t *testing.T, l tenancy) {
						var wait sync.WaitGroup
						for _, operation := range set {
							start := time.Duration(r.IntN(50)) * time.Millisecond
							wait.Go(func() {
								time.Sleep(start)
								_, _ = l.operations()[operation](t.Context())
							})
						}
						for range 12 { // each call takes another time
							l.Inject(ecrtest.Fault{Action: "ecr:*", Times: 1, Skip: r.IntN(8), Latency: time.Duration(r.IntN(40)) * time.Millisecond})
						}
						wait.Wait()
					})
					require.True(t, serial[end], "%s\nis none of\n%v", end, slices.Collect(maps.Keys(serial)))
					require.Contains(t, end, "images=1")
				}
			})
		}
	}
}

func permutations(s []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		var walk func(done, rest []string) bool
		walk = func(done, rest []string) bool {
			if len(rest) == 0 {
				return yield(done)
			}
			for i := range rest {
				if !walk(append(slices.Clone(done), rest[i]), slices.Delete(slices.Clone(rest), i, i+1)) {
					return false
				}
			}
			return true
		}
		walk(nil, s)
	}
}

// An orphan that its owner gets back while it is purged stays: the controller's policy has the last word.
func TestRestoredWhilePurged(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
		l.ensure(t, hello)
		require.NoError(t, l.push("hello"))
		_, err := l.ReleaseRepository(t.Context(), hello)
		require.NoError(t, err)
		time.Sleep(100 * time.Hour)
		l.Inject(ecrtest.Fault{Action: "ecr:DeleteRepository", Latency: time.Second})
		var wait sync.WaitGroup
		wait.Go(func() {
			change, err := l.PurgeRepository(t.Context(), "hello", 48*time.Hour)
			require.NoError(t, err)
			require.False(t, change.Changed())
			require.False(t, change.Owner.Orphaned)
		})
		time.Sleep(time.Second / 2)
		require.Equal(t, []repository.Action{repository.ActionRestore}, l.ensure(t, hello).Actions)
		wait.Wait()
		require.Contains(t, l.state("rise/hello"), "images=1")
	})
}

// Rights follow tags late, so that AWS would still delete what was restored a moment ago: an attempt that is made again looks
// before.
func TestRestoredBetweenAttempts(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{TagDelay: 10 * time.Second}, nil, func(t *testing.T, l tenancy) {
		l.ensure(t, hello)
		time.Sleep(time.Minute)
		require.NoError(t, l.push("hello"))
		_, err := l.ReleaseRepository(t.Context(), hello)
		require.NoError(t, err)
		time.Sleep(100 * time.Hour)
		l.Inject(ecrtest.Fault{Action: "ecr:DeleteRepository", Error: "ThrottlingException", Times: 1})
		var removed repository.Change
		var wait sync.WaitGroup
		wait.Go(func() { removed, err = l.PurgeRepository(t.Context(), "hello", 48*time.Hour) })
		time.Sleep(time.Millisecond)
		require.Equal(t, []repository.Action{repository.ActionRestore}, l.ensure(t, hello).Actions)
		wait.Wait()
		require.NoError(t, err)
		require.Empty(t, removed.Actions)
		require.Contains(t, l.state("rise/hello"), "images=1")
		time.Sleep(time.Minute)
		require.NoError(t, l.push("hello"))
	})
}

// Somebody else removes the repository while a call is on its way: AWS denies the call then, as what is gone has no tags.
func TestRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		operation, action string
		orphaned          bool
		want              provider.Kind
	}{
		{"ensure", "ecr:ListTagsForResource", false, ""},
		{"ensure", "ecr:UntagResource", true, ""},
		{"ensure", "ecr:TagResource", false, ""},
		{"ensure", "ecr:PutImageScanningConfiguration", false, ""},
		{"ensure", "ecr:PutImageTagMutability", false, ""},
		{"ensure", "ecr:GetLifecyclePolicy", false, ""},
		{"ensure", "ecr:PutLifecyclePolicy", false, ""},
		{"release", "ecr:TagResource", false, ""},
		{"purge", "ecr:DeleteRepository", true, ""},
		{"restore", "ecr:UntagResource", true, provider.ErrNotFound},
		{"suspend", "ecr:TagResource", false, provider.ErrNotFound},
	} {
		t.Run(tt.operation+" "+tt.action, func(t *testing.T) {
			t.Parallel()
			for _, age := range []time.Duration{time.Second, 100 * time.Hour} {
				inTenancy(t, ecrtest.Config{}, managing, func(t *testing.T, l tenancy) {
					l.ensure(t, hello)
					if tt.orphaned {
						_, err := l.ReleaseRepository(t.Context(), hello)
						require.NoError(t, err)
					}
					time.Sleep(age)
					l.UpdateRepository("rise/hello", func(r *ecrtest.Repository) {
						r.ScanOnPush, r.TagMutability, r.MutabilityExclusions, r.LifecyclePolicy = false, "MUTABLE", nil, ""
						delete(r.Tags, "team")
					})
					l.ResetCalls()
					l.Inject(ecrtest.Fault{Action: tt.action, Times: 1, Latency: time.Second})
					var wait sync.WaitGroup
					wait.Go(func() {
						time.Sleep(time.Second / 2)
						l.Server.DeleteRepository("rise/hello")
					})
					_, err := l.operations()[tt.operation](t.Context())
					wait.Wait()
					if tt.want != "" {
						require.ErrorIs(t, err, tt.want)
						return
					}
					require.NoError(t, err)
					if tt.operation == "ensure" {
						r, ok := l.Server.Repository("rise/hello")
						require.True(t, ok)
						require.Equal(t, "p-1", r.Tags["rise:project-id"])
						require.JSONEq(t, managedLifecycle, r.LifecyclePolicy)
					}
				})
			}
		})
	}
}
