package endpoint_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// manager counts what is ensured, and fails or finds what it is told to.
type manager struct {
	provider.RepositoryManager

	mu    sync.Mutex
	asked []provider.Project
	owner provider.RepositoryOwner
	err   error
	takes time.Duration
}

func (m *manager) EnsureRepository(ctx context.Context, p provider.Project, _ provider.EnsureOptions) (provider.RepositoryChange, error) {
	m.mu.Lock()
	m.asked = append(m.asked, p)
	owner, err := m.owner, m.err
	m.mu.Unlock()
	select {
	case <-time.After(m.takes):
	case <-ctx.Done():
		return provider.RepositoryChange{}, ctx.Err()
	}
	return provider.RepositoryChange{Owner: owner}, err
}

// ask asks h for a project's credential, without a network.
func ask(ctx context.Context, h http.Handler, project string) int {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/?project="+project, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func ensuring(s *service, m *manager, identify func(context.Context, string) (string, error), authorized error) http.Handler {
	opts := []endpoint.Option{endpoint.WithRepositories(m), endpoint.WithAudit(func(context.Context, endpoint.Event) {})}
	if identify != nil {
		opts = append(opts, endpoint.WithProjectIDs(identify))
	}
	return endpoint.New(s, func(*http.Request) (user, error) { return user{name: "alice"}, nil },
		func(context.Context, user, provider.Request) error { return authorized }, opts...)
}

func TestRepositoriesAreRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := &service{}, &manager{takes: time.Second}
		h := ensuring(s, m, nil, nil)
		var wait sync.WaitGroup
		for range 100 {
			wait.Go(func() { require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello")) })
		}
		wait.Wait()
		require.Equal(t, []provider.Project{{Name: "hello"}}, m.asked, "one call for all of them")
		require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello"))
		require.Len(t, m.asked, 1)
		require.Equal(t, http.StatusOK, ask(t.Context(), h, "other"))
		require.Len(t, m.asked, 2)
		time.Sleep(time.Hour)
		require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello"))
		require.Len(t, m.asked, 3)
	})
}

func TestRepositoriesOfAnotherID(t *testing.T) {
	t.Parallel()
	s, m, id := &service{}, &manager{}, "p-1"
	h := ensuring(s, m, func(context.Context, string) (string, error) { return id, nil }, nil)
	require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello"))
	id, m.err = "p-2", provider.ErrOrphaned
	require.Equal(t, http.StatusConflict, ask(t.Context(), h, "hello"), "what p-1 had made isn't p-2's")
	require.Equal(t, []provider.Request{{Project: "hello", ProjectID: "p-1", Access: provider.Push}}, s.asked)
	require.Equal(t, []provider.Project{{Name: "hello", ID: "p-1"}, {Name: "hello", ID: "p-2"}}, m.asked)
}

func TestRepositoryFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err        error
		owner      provider.RepositoryOwner
		identify   error
		authorized error
		status     int
		ensures    int
	}{
		"denied":       {err: provider.ErrAccessDenied, status: http.StatusBadGateway, ensures: 2},
		"not ours":     {err: provider.ErrNotOurs, status: http.StatusConflict, ensures: 2},
		"throttled":    {err: provider.ErrThrottled, status: http.StatusServiceUnavailable, ensures: 2},
		"suspended":    {owner: provider.RepositoryOwner{Ours: true, Suspended: true}, status: http.StatusConflict, ensures: 2},
		"unidentified": {identify: errors.New("database"), status: http.StatusServiceUnavailable},
		"unknown":      {identify: provider.ErrNotFound, status: http.StatusNotFound},
		"unauthorized": {authorized: provider.ErrNotFound, status: http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, m := &service{}, &manager{err: tt.err, owner: tt.owner}
				h := ensuring(s, m, func(context.Context, string) (string, error) { return "p-1", tt.identify }, tt.authorized)
				for range 2 { // three seconds after, nothing of it is remembered
					for range 100 { // until then, whoever insists costs nothing upstream
						require.Equal(t, tt.status, ask(t.Context(), h, "hello"))
					}
					time.Sleep(3 * time.Second)
				}
				require.Len(t, m.asked, tt.ensures)
				require.Empty(t, s.asked)
				m.err, m.owner = nil, provider.RepositoryOwner{}
				if tt.ensures > 0 {
					require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello"), "repaired")
				}
			})
		})
	}
	require.Equal(t, http.StatusInternalServerError, ask(t.Context(), ensuring(&service{}, nil, nil, nil), "hello"), "a panic")
}

// Whoever leaves doesn't take the call along that others wait for.
func TestRepositoryWaitersLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := &service{}, &manager{takes: 20 * time.Second}
		h := ensuring(s, m, nil, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Equal(t, http.StatusGatewayTimeout, ask(ctx, h, "hello"))
		require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello"))
		require.Len(t, m.asked, 1)
		m.takes = time.Hour
		start := time.Now()
		require.Equal(t, http.StatusGatewayTimeout, ask(t.Context(), h, "slow"))
		require.Equal(t, endpoint.DefaultTimeout, time.Since(start))
	})
}

// A project's name is a part of the request's text. Remembering the one mustn't keep the other.
func TestRepositoriesKeepNoRequests(t *testing.T) { //nolint:paralleltest // measures the heap
	const projects, padding = 2000, 4000
	s, m := &service{}, &manager{}
	h := ensuring(s, m, nil, nil)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range projects {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL.RawQuery = strings.Repeat("x", padding) + "&project=p" + strconv.Itoa(i)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code)
	}
	s.asked, m.asked = nil, nil
	after := heap()
	require.Less(t, int64(after-before), int64(projects*padding/4))
	runtime.KeepAlive(h)
}

// A thousand new projects at once don't make a thousand calls at once, and all get their turn.
func TestRepositoriesQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &slow{}
		h := endpoint.New(&service{}, func(*http.Request) (user, error) { return user{name: "alice"}, nil },
			func(context.Context, user, provider.Request) error { return nil },
			endpoint.WithRepositories(m), endpoint.WithAudit(func(context.Context, endpoint.Event) {}))
		var wait sync.WaitGroup
		for i := range 1000 {
			wait.Go(func() { require.Equal(t, http.StatusOK, ask(t.Context(), h, "p"+strconv.Itoa(i))) })
		}
		wait.Wait()
		require.Equal(t, 16, m.most)
	})
}

// slow takes a tenth of a second, and counts how many do at once.
type slow struct {
	provider.RepositoryManager
	mu         sync.Mutex
	busy, most int
}

func (m *slow) EnsureRepository(context.Context, provider.Project, provider.EnsureOptions) (provider.RepositoryChange, error) {
	m.mu.Lock()
	m.busy++
	m.most = max(m.most, m.busy)
	m.mu.Unlock()
	time.Sleep(time.Second / 10)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy--
	return provider.RepositoryChange{}, nil
}

// What the handler passes on to net/http would end the process in a goroutine of its own.
func TestRepositoriesAbort(t *testing.T) {
	t.Parallel()
	h := endpoint.New(&service{}, func(*http.Request) (user, error) { return user{name: "alice"}, nil },
		func(context.Context, user, provider.Request) error { return nil },
		endpoint.WithRepositories(aborting{}), endpoint.WithAudit(func(context.Context, endpoint.Event) {}))
	require.Equal(t, http.StatusInternalServerError, ask(t.Context(), h, "hello"))
}

type aborting struct{ provider.RepositoryManager }

func (aborting) EnsureRepository(context.Context, provider.Project, provider.EnsureOptions) (provider.RepositoryChange, error) {
	panic(http.ErrAbortHandler)
}
