package tokenissuer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// The service is told which grant it is, and what comes of its answer.
func TestStillGood(t *testing.T) {
	t.Parallel()
	refuse := func(kind provider.Kind) error { return &provider.Error{Kind: kind} }
	for name, test := range map[string]struct {
		err    error
		status int
	}{
		"good":        {nil, http.StatusOK},
		"gone":        {refuse(provider.ErrNotFound), http.StatusUnauthorized},
		"suspended":   {fmt.Errorf("suspended: %w", provider.ErrConflict), http.StatusUnauthorized},
		"denied":      {refuse(provider.ErrAccessDenied), http.StatusUnauthorized},
		"unavailable": {&provider.Error{Kind: provider.ErrUnavailable, RetryAfter: 7 * time.Second}, http.StatusServiceUnavailable},
		"unknown":     {errors.New("the database is down"), http.StatusServiceUnavailable},
		"invalid":     {refuse(provider.ErrInvalidRequest), http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider(t, config(), newSigning(t))
				want := provider.Request{Project: "hello", ProjectID: "p-1", Access: provider.Push, Caller: "alice"}
				made := time.Unix(time.Now().Unix(), 0)
				c, err := provider.Issue(t.Context(), p, want)
				require.NoError(t, err)
				time.Sleep(time.Minute)
				var asked []tokenissuer.Question
				h := p.Handler(func(_ context.Context, q tokenissuer.Question) error {
					asked = append(asked, q)
					return test.err
				}, nil, silent())
				for range 2 {
					r := exchange(t, h, c.Password.Reveal(), "repository:rise-apps/hello:pull")
					require.Equal(t, test.status, r.status)
					switch {
					case test.status == http.StatusUnauthorized:
						require.Equal(t, "This credential is no longer good: its project is suspended, is gone, or its name is another project's.", r.message)
					case name == "unavailable":
						require.Equal(t, "7", r.header.Get("Retry-After"))
					case test.status == http.StatusServiceUnavailable:
						require.Equal(t, "5", r.header.Get("Retry-After"))
					}
				}
				q := tokenissuer.Question{Request: want, Grant: c.Details[0].Value.String(), MadeAt: made}
				if test.err == nil {
					require.Equal(t, []tokenissuer.Question{q}, asked)
				} else {
					require.Equal(t, []tokenissuer.Question{q, q}, asked, "neither a refusal nor a failure is kept")
				}
			})
		})
	}
}

// A grant for all projects is asked about by itself, and then for each project that is to be pulled.
func TestStillGoodForAllProjects(t *testing.T) {
	t.Parallel()
	p := newProvider(t, config(), newSigning(t))
	var asked []tokenissuer.Question
	var broken, revoked bool
	h := p.Handler(func(_ context.Context, q tokenissuer.Question) error {
		asked = append(asked, q)
		switch {
		case broken && q.Request.Project == "other":
			return errors.New("broken")
		case q.Request.Project == "suspended", revoked && q.Request.AllProjects:
			return provider.ErrConflict
		}
		return nil
	}, nil, silent())
	grant := grantFor(t, p, provider.Request{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster})
	r := exchange(t, h, grant, "repository:rise-apps/hello:pull", "repository:rise-apps/suspended:pull", "repository:rise-apps/other:pull")
	require.Equal(t, []string{"repository:rise-apps/hello:pull", "repository:rise-apps/other:pull"}, r.access())
	require.Len(t, asked, 4)
	require.Equal(t, provider.Request{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster}, asked[0].Request)
	require.False(t, asked[0].OfAllProjects)
	for i, project := range []string{"hello", "suspended", "other"} {
		require.Equal(t, provider.Request{Project: project, Access: provider.Pull, Consumer: provider.Cluster}, asked[i+1].Request)
		require.True(t, asked[i+1].OfAllProjects)
		require.Equal(t, asked[0].Grant, asked[i+1].Grant)
	}
	require.Equal(t, http.StatusForbidden, exchange(t, h, grant, "repository:rise-apps/suspended:pull").status)
	broken = true
	another := grantFor(t, p, provider.Request{AllProjects: true, Access: provider.Pull})
	require.Equal(t, http.StatusServiceUnavailable, exchange(t, h, another, "repository:rise-apps/hello:pull", "repository:rise-apps/other:pull").status)
	revoked = true
	require.Equal(t, http.StatusUnauthorized, exchange(t, h, grantFor(t, p, provider.Request{AllProjects: true, Access: provider.Pull}), "repository:rise-apps/hello:pull").status)
}

// Equal questions are one; an answer counts for five seconds from when it was asked for, and who asks later waits for a new one.
func TestStillGoodTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(t, config(), newSigning(t))
		var mu sync.Mutex
		asked, takes, answer := 0, time.Second, error(nil)
		h := p.Handler(func(ctx context.Context, _ tokenissuer.Question) error {
			mu.Lock()
			asked++
			takes, answer := takes, answer
			mu.Unlock()
			select {
			case <-time.After(takes):
				return answer
			case <-ctx.Done():
				return ctx.Err()
			}
		}, nil, silent(), tokenissuer.WithTimeout(20*time.Second))
		grant, another := grantFor(t, p, push("hello")), grantFor(t, p, push("hello"))
		together := func(grant string, n, want int) {
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					if r := exchange(t, h, grant); r.status != want {
						t.Errorf("status %d, want %d", r.status, want)
					}
				})
			}
			wg.Wait()
		}
		together(grant, 20, http.StatusOK)
		require.Equal(t, 1, asked)
		time.Sleep(3900 * time.Millisecond) // 4.9 s since it was asked
		together(grant, 1, http.StatusOK)
		require.Equal(t, 1, asked)
		together(another, 1, http.StatusOK)
		require.Equal(t, 2, asked, "another grant's is another question")
		answer = provider.ErrConflict
		together(grant, 5, http.StatusUnauthorized)
		require.Equal(t, 3, asked, "after five seconds it is asked anew, and all get the refusal")

		takes, answer = 8*time.Second, nil
		var wg sync.WaitGroup
		wg.Go(func() { together(grant, 1, http.StatusOK) })
		time.Sleep(6 * time.Second)
		together(grant, 1, http.StatusOK)
		require.Equal(t, 5, asked, "who asks six seconds later doesn't join")
		wg.Wait()

		takes = time.Hour
		start := time.Now()
		third := grantFor(t, p, push("hello"))
		together(third, 2, http.StatusServiceUnavailable)
		require.Equal(t, 20*time.Second, time.Since(start))
	})
}

// Who asked first may leave; the others get the answer.
func TestStillGoodWithoutTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(t, config(), newSigning(t))
		asked := 0
		h := p.Handler(func(ctx context.Context, _ tokenissuer.Question) error {
			asked++
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}, nil, silent())
		grant := grantFor(t, p, push("hello"))
		first, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			r := newRequest(grant).WithContext(first)
			if got := send(t, h, r); got.status != http.StatusServiceUnavailable {
				t.Errorf("status %d", got.status)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if got := send(t, h, newRequest(grant)); got.status != http.StatusOK {
				t.Errorf("status %d", got.status)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		require.Equal(t, 1, asked)
	})
}

// A grant that ends while the service thinks about it has ended.
func TestGrantEndsMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := config()
		c.SessionDuration = time.Minute
		p := newProvider(t, c, newSigning(t))
		grant := grantFor(t, p, push("hello"))
		h := p.Handler(func(context.Context, tokenissuer.Question) error { time.Sleep(10 * time.Second); return nil }, nil, silent())
		time.Sleep(40 * time.Second)
		require.Equal(t, http.StatusOK, exchange(t, h, grant).status)
		time.Sleep(5 * time.Second)
		require.Equal(t, saysExpired, exchange(t, h, grant).message)
	})
}
