package reconcile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// As TestInterleaved, with ECR's own calls, each of which takes another time.
func TestECRInterleaved(t *testing.T) {
	t.Parallel()
	x := provider.Project{Name: "x", ID: "id-x"}
	operations := []func(ctx context.Context, t *testing.T, a account, s *service){
		func(ctx context.Context, _ *testing.T, a account, _ *service) {
			_, _ = a.ecr.EnsureRepository(ctx, x, repository.EnsureOptions{})
		},
		func(ctx context.Context, _ *testing.T, a account, s *service) {
			s.remove("x")
			_, _ = a.ecr.ReleaseRepository(ctx, x)
		},
		func(ctx context.Context, t *testing.T, a account, s *service) { _, _ = a.run(ctx, t, s, unlimited()) },
		func(ctx context.Context, t *testing.T, a account, s *service) { _, _ = a.run(ctx, t, s, unlimited()) },
	}
	for name, prepare := range map[string]func(t *testing.T, a account){
		"none":   func(*testing.T, account) {},
		"active": func(t *testing.T, a account) { a.seed("x", nil); a.push(t, "x") },
		"drifted": func(t *testing.T, a account) {
			a.seed("x", func(r *ecrtest.Repository) { r.ScanOnPush, r.LifecyclePolicy = false, "" })
			a.push(t, "x")
		},
		"orphaned": func(t *testing.T, a account) { a.seed("x", nil); a.push(t, "x"); a.orphan("x", time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attempt := func(order []int, random *rand.Rand) (end string) {
				inAccount(t, func(t *testing.T, a account) {
					s := newService("w0", "w1", "x")
					a.seed("w0", nil)
					a.seed("w1", nil)
					prepare(t, a)
					if random == nil {
						for _, i := range order {
							operations[i](t.Context(), t, a, s)
						}
					} else {
						for range 40 {
							a.Inject(ecrtest.Fault{Action: "ecr:*", Times: 1, Skip: random.IntN(4), Latency: time.Duration(random.IntN(40)) * time.Millisecond})
						}
						var wait sync.WaitGroup
						for _, i := range order {
							begin := time.Duration(random.IntN(60)) * time.Millisecond
							wait.Go(func() {
								time.Sleep(begin)
								operations[i](t.Context(), t, a, s)
							})
						}
						wait.Wait()
					}
					end = fmt.Sprint(a.states())
				})
				return end
			}
			serial := map[string]bool{}
			for _, order := range permutations(len(operations)) {
				serial[attempt(order, nil)] = true
			}
			for seed := range uint64(25) {
				random := rand.New(rand.NewPCG(2, seed))
				end := attempt(random.Perm(len(operations)), random)
				require.True(t, serial[end], "seed %d: %s\nis none of %v", seed, end, serial)
				if name != "none" {
					require.Contains(t, end, "images=1")
				}
			}
		})
	}
}
