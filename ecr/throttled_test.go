package ecr_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// AWS throttles each operation by itself: who has many repositories made at once keeps nobody else's waiting.
func TestThrottledOperationDelaysNoOther(t *testing.T) {
	t.Parallel()
	quotas := map[string]ecrtest.Quota{"ecr:CreateRepository": {PerSecond: 1, Burst: 1}}
	inTenancy(t, ecrtest.Config{Quotas: quotas}, nil, func(t *testing.T, l tenancy) {
		_, err := l.EnsureRepository(t.Context(), provider.Project{Name: "other"}, repository.EnsureOptions{})
		require.NoError(t, err)
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var flood sync.WaitGroup
		for i := range 50 {
			flood.Go(func() {
				_, _ = l.EnsureRepository(ctx, provider.Project{Name: fmt.Sprint("new-", i)}, repository.EnsureOptions{})
			})
		}
		time.Sleep(3 * time.Second)
		start := time.Now()
		_, err = provider.Issue(ctx, l.Provider, provider.Request{Project: "other", Access: provider.Push})
		require.NoError(t, err)
		require.Less(t, time.Since(start), time.Second, "a token")
		_, err = l.EnsureRepository(ctx, provider.Project{Name: "other"}, repository.EnsureOptions{})
		require.NoError(t, err)
		require.Less(t, time.Since(start), time.Second, "a repository that is there")
		flood.Wait()
	})
}
