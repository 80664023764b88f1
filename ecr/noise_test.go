package ecr_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

type named string

func (n named) Subject() string { return string(n) }

// many is an endpoint for callers who say themselves who they are.
func many(t *testing.T, p provider.Provider) func(ctx context.Context, subject, query string) int {
	t.Helper()
	m, err := repository.ManagerOf(p)
	require.NoError(t, err)
	h := endpoint.New(p, func(r *http.Request) (named, error) { return named(r.Header.Get("Subject")), nil },
		func(context.Context, named, provider.Request) error { return nil },
		endpoint.WithRepositories(m), endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))
	return func(ctx context.Context, subject, query string) int {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/?project="+query, nil)
		r.Header.Set("Subject", subject)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
}

// Whoever asks for ever new projects, where AWS makes no more repositories or makes them slowly, keeps nobody from what is there,
// nor a pull from saying so.
func TestNoiseOfNewRepositories(t *testing.T) {
	t.Parallel()
	loud := 200
	if raceEnabled { // ten times as slow
		loud = 40
	}
	for name, fault := range map[string]ecrtest.Fault{
		"quota used up": {Action: "ecr:CreateRepository", Error: "LimitExceededException"},
		"throttled":     {Action: "ecr:CreateRepository", Error: "ThrottlingException"},
		"slow":          {Action: "ecr:CreateRepository", Latency: 25 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
				for _, project := range []string{"alice", "bob"} {
					l.CreateRepository(l.deployment.Repository(project))
				}
				l.Inject(fault)
				ask := many(t, cached(t, l.Provider))
				ctx, cancel := context.WithCancel(t.Context())
				var wait sync.WaitGroup
				var n atomic.Int64
				for range loud {
					wait.Go(func() {
						for ctx.Err() == nil {
							ask(ctx, "mallory", fmt.Sprint("mallory-", n.Add(1)))
							time.Sleep(100 * time.Millisecond)
						}
					})
				}
				time.Sleep(20 * time.Second)
				for _, project := range []string{"alice", "bob&access=pull"} {
					start := time.Now()
					require.Equal(t, http.StatusOK, ask(t.Context(), "alice", project))
					require.Less(t, time.Since(start), time.Second)
				}
				start := time.Now()
				require.Equal(t, http.StatusConflict, ask(t.Context(), "alice", "new&access=pull"))
				require.Less(t, time.Since(start), time.Second)
				cancel()
				wait.Wait()
				time.Sleep(time.Minute)
			})
		})
	}
}

// Callers that leave at once, while AWS stalls, leave nothing behind.
func TestLeaversOfAStalledUpstream(t *testing.T) { //nolint:paralleltest // counts goroutines
	inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
		ask := many(t, cached(t, l.Provider))
		require.Equal(t, http.StatusOK, ask(t.Context(), "alice", "alice"))
		before := runtime.NumGoroutine()
		l.Inject(ecrtest.Fault{Action: "ecr:*", Latency: 20 * time.Second})
		var wait sync.WaitGroup
		for i := range 3000 {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Microsecond)
			wait.Go(func() {
				defer cancel()
				ask(ctx, "mallory", fmt.Sprint("m", i))
			})
		}
		wait.Wait()
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		require.LessOrEqual(t, runtime.NumGoroutine(), before+100, "for connections that are kept, and none for those who left")
	})
}
