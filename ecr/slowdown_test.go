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
				_, _ = p.EnsureRepository(ctx, provider.Project{Name: project(i).Project}, provider.EnsureOptions{})
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
