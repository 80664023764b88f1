package ecr_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

func project(i int) provider.Request {
	return provider.Request{Project: fmt.Sprintf("project-%d", i), Access: provider.Push}
}

// AWS limits each operation by itself: work on repositories that is throttled doesn't slow issuing down.
func TestRepositoriesDontSlowIssuing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		quota := ecrtest.Quota{PerSecond: 2, Burst: 2}
		aws := newAWS(t, ecrtest.Config{InMemory: true, Quotas: map[string]ecrtest.Quota{"ecr:DescribeRepositories": quota}}, ecrtest.SetupOptions{})
		p, err := ecr.New(t.Context(), aws.config, hermetic(), inMemory(aws.Server))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				_, _ = p.EnsureRepository(ctx, provider.Project{Name: project(i).Project}, repository.EnsureOptions{})
			})
		}
		time.Sleep(10 * time.Second)
		start := time.Now()
		for i := range 100 {
			_, err := p.Credentials(t.Context(), project(i))
			require.NoError(t, err)
		}
		require.Less(t, time.Since(start), time.Second)
		cancel()
		wg.Wait()
	})
}

// A caller who gives up while AWS throttles hears of that, with a cache and without, whether it was throttled, held back for
// others, or waited for its turn.
func TestThrottledHowLongEver(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*awsServer){
		"all the time": func(s *awsServer) { s.Inject(ecrtest.Fault{Action: sts, Error: "Throttling"}) },
		"token":        func(s *awsServer) { s.Inject(ecrtest.Fault{Action: token, Error: "ThrottlingException"}) },
		"quota":        func(*awsServer) {},
	} {
		for _, with := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", cache ", with), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					quota := ecrtest.Quota{PerSecond: 2, Burst: 5}
					aws := newAWS(t, ecrtest.Config{InMemory: true, Quotas: map[string]ecrtest.Quota{token: quota}}, ecrtest.SetupOptions{})
					var p provider.Provider
					p, err := ecr.New(t.Context(), aws.config, hermetic(), inMemory(aws.Server))
					require.NoError(t, err)
					if with {
						p = cached(t, p)
					}
					prepare(aws)
					ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second+13*time.Millisecond) // not within an attempt
					defer cancel()
					errs := make([]error, 200) // more than may be issued at once
					var wg sync.WaitGroup
					for i := range errs {
						wg.Go(func() { _, errs[i] = p.Credentials(ctx, project(i)) })
					}
					wg.Wait()
					failed := 0
					for _, err := range errs {
						if err != nil {
							failed++
							require.ErrorIs(t, err, provider.ErrThrottled)
							require.NotContains(t, err.Error(), "the container credentials endpoint", "it was AWS")
						}
					}
					require.Positive(t, failed)
					if c, ok := provider.As[*cache.Cache](p); ok {
						require.Positive(t, c.Stats().Throttled)
					}
				})
			})
		}
	}
}

// An answer that got lost costs seconds, not the whole time of an issue that all callers of the project wait for.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for _, action := range []string{sts, token} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				aws := newAWS(t, ecrtest.Config{InMemory: true}, ecrtest.SetupOptions{})
				p, err := ecr.New(t.Context(), aws.config, hermetic(), inMemory(aws.Server))
				require.NoError(t, err)
				aws.Inject(ecrtest.Fault{Action: action, Latency: time.Hour, Times: 1})
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				start := time.Now()
				_, err = cached(t, p).Credentials(ctx, push)
				require.NoError(t, err)
				require.Less(t, time.Since(start), 15*time.Second)

				aws.Inject(ecrtest.Fault{Action: action, Latency: time.Hour})
				_, err = p.Credentials(t.Context(), push)
				require.ErrorIs(t, err, provider.ErrTimeout, "after the attempts that other failures get too")
			})
		})
	}
}
