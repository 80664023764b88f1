package endpoint_test

import (
	"cmp"
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
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// manager counts what is ensured and looked at, and fails or finds what it is told to.
type manager struct {
	repository.Manager

	mu    sync.Mutex
	asked []provider.Project
	owner repository.Owner
	err   error
	takes time.Duration

	looks     int
	there     *repository.Owner // nil: there is none
	lookErr   error
	lookTakes time.Duration
}

func (m *manager) RepositoryOwner(ctx context.Context, _ string) (repository.Owner, error) {
	m.mu.Lock()
	m.looks++
	there, err := m.there, m.lookErr
	m.mu.Unlock()
	select {
	case <-time.After(m.lookTakes):
	case <-ctx.Done():
		return repository.Owner{}, ctx.Err()
	}
	if there == nil {
		return repository.Owner{}, cmp.Or(err, error(provider.ErrNotFound))
	}
	return *there, err
}

func (m *manager) EnsureRepository(ctx context.Context, p provider.Project, _ repository.EnsureOptions) (repository.Change, error) {
	m.mu.Lock()
	m.asked = append(m.asked, p)
	owner, err := m.owner, m.err
	m.mu.Unlock()
	select {
	case <-time.After(m.takes):
	case <-ctx.Done():
		return repository.Change{}, ctx.Err()
	}
	return repository.Change{Owner: owner}, err
}

// ask asks h for a project's credential, without a network.
func ask(ctx context.Context, h http.Handler, project string) int {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/?project="+project, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func ensuring(s *service, m *manager, identify func(context.Context, string) (string, error), authorized error) http.Handler {
	opts := []endpoint.Option{endpoint.WithRepositories(m), endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil })}
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
		owner      repository.Owner
		identify   error
		authorized error
		status     int
		ensures    int
	}{
		"denied":       {err: provider.ErrAccessDenied, status: http.StatusBadGateway, ensures: 2},
		"not ours":     {err: provider.ErrNotOurs, status: http.StatusConflict, ensures: 2},
		"throttled":    {err: provider.ErrThrottled, status: http.StatusServiceUnavailable, ensures: 2},
		"suspended":    {owner: repository.Owner{Ours: true, Suspended: true}, status: http.StatusConflict, ensures: 2},
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
				m.err, m.owner = nil, repository.Owner{}
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
	synctest.Test(t, func(t *testing.T) { // so many a second
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
	})
}

// A thousand new projects at once don't make a thousand calls at once, nor more than fifty a second, and all get their turn.
func TestRepositoriesQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &slow{}
		h := endpoint.New(&service{}, func(*http.Request) (user, error) { return user{name: "alice"}, nil },
			func(context.Context, user, provider.Request) error { return nil },
			endpoint.WithRepositories(m), endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))
		start := time.Now()
		var wait sync.WaitGroup
		for i := range 1000 {
			wait.Go(func() { require.Equal(t, http.StatusOK, ask(t.Context(), h, "p"+strconv.Itoa(i))) })
		}
		wait.Wait()
		require.Equal(t, 16, m.most)
		require.InDelta(t, (1000-16)*time.Second/50+100*time.Millisecond, time.Since(start), float64(200*time.Millisecond))
	})
}

// slow takes a tenth of a second, and counts how many do at once.
type slow struct {
	repository.Manager
	mu         sync.Mutex
	busy, most int
}

func (*slow) RepositoryOwner(context.Context, string) (repository.Owner, error) {
	return repository.Owner{}, provider.ErrNotFound
}

func (m *slow) EnsureRepository(context.Context, provider.Project, repository.EnsureOptions) (repository.Change, error) {
	m.mu.Lock()
	m.busy++
	m.most = max(m.most, m.busy)
	m.mu.Unlock()
	time.Sleep(time.Second / 10)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy--
	return repository.Change{}, nil
}

// What the handler passes on to net/http would end the process in a goroutine of its own.
func TestRepositoriesAbort(t *testing.T) {
	t.Parallel()
	h := endpoint.New(&service{}, func(*http.Request) (user, error) { return user{name: "alice"}, nil },
		func(context.Context, user, provider.Request) error { return nil },
		endpoint.WithRepositories(aborting{}), endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))
	require.Equal(t, http.StatusInternalServerError, ask(t.Context(), h, "hello"))
}

// What neither returned nor panicked found nothing out, for those who come later neither.
func TestRepositoriesEndTheirGoroutine(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]repository.Manager{"in a look": ending{}, "in a making": ending{aborting{}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &service{}
			h := endpoint.New(s, func(*http.Request) (user, error) { return user{name: "alice"}, nil },
				func(context.Context, user, provider.Request) error { return nil },
				endpoint.WithRepositories(m), endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))
			for range 3 {
				require.Equal(t, http.StatusInternalServerError, ask(t.Context(), h, "hello"))
			}
			require.Empty(t, s.asked)
		})
	}
}

// ending ends the goroutine: in the look, unless it has another's.
type ending struct{ repository.Manager }

func (m ending) RepositoryOwner(ctx context.Context, project string) (repository.Owner, error) {
	if m.Manager == nil {
		runtime.Goexit()
	}
	return m.Manager.RepositoryOwner(ctx, project)
}

func (ending) EnsureRepository(context.Context, provider.Project, repository.EnsureOptions) (repository.Change, error) {
	runtime.Goexit()
	panic("unreachable")
}

type aborting struct{ repository.Manager }

func (aborting) RepositoryOwner(context.Context, string) (repository.Owner, error) {
	return repository.Owner{}, provider.ErrNotFound
}

func (aborting) EnsureRepository(context.Context, provider.Project, repository.EnsureOptions) (repository.Change, error) {
	panic(http.ErrAbortHandler)
}

// What is there is only read; what isn't as it has to be is prepared, unless it is another's.
func TestRepositoriesThatAreThere(t *testing.T) {
	t.Parallel()
	ours := repository.Owner{Ours: true}
	with := func(change func(*repository.Owner)) *repository.Owner {
		o := ours
		change(&o)
		return &o
	}
	for name, tt := range map[string]struct {
		there   *repository.Owner
		lookErr error
		id      string
		status  int
		kind    provider.Kind
		ensured bool
	}{
		"ours":                     {there: &ours, status: 200},
		"ours, somebody's":         {there: with(func(o *repository.Owner) { o.ProjectID = "p-1" }), status: 200},
		"the project's":            {there: with(func(o *repository.Owner) { o.ProjectID = "p-1" }), id: "p-1", status: 200},
		"another's":                {there: with(func(o *repository.Owner) { o.ProjectID = "p-1" }), id: "p-2", status: 409, kind: provider.ErrNotOurs},
		"nobody's yet":             {there: &ours, id: "p-1", status: 200, ensured: true},
		"not ours":                 {there: &repository.Owner{Reason: "no tag"}, status: 409, kind: provider.ErrNotOurs},
		"not ours, but the id is":  {there: &repository.Owner{ProjectID: "p-1"}, id: "p-1", status: 409, kind: provider.ErrNotOurs},
		"not ours, orphaned":       {there: &repository.Owner{Orphaned: true, ProjectID: "p-1"}, id: "p-1", status: 409, kind: provider.ErrNotOurs},
		"suspended":                {there: with(func(o *repository.Owner) { o.Suspended = true }), status: 409, kind: provider.ErrConflict},
		"orphaned":                 {there: with(func(o *repository.Owner) { o.Orphaned = true }), status: 409, kind: provider.ErrOrphaned},
		"orphaned, by nobody":      {there: with(func(o *repository.Owner) { o.Orphaned = true }), id: "p-1", status: 409, kind: provider.ErrOrphaned},
		"orphaned, by another":     {there: with(func(o *repository.Owner) { o.Orphaned, o.ProjectID = true, "p-1" }), id: "p-2", status: 409, kind: provider.ErrOrphaned},
		"orphaned, by the project": {there: with(func(o *repository.Owner) { o.Orphaned, o.ProjectID = true, "p-1" }), id: "p-1", status: 200, ensured: true},
		"denied":                   {there: &ours, lookErr: &provider.Error{Kind: provider.ErrAccessDenied}, status: 502, kind: provider.ErrAccessDenied},
		"throttled":                {there: &ours, lookErr: provider.ErrThrottled, status: 503, kind: provider.ErrThrottled},
		"hangs":                    {there: &ours, lookErr: provider.ErrTimeout, status: 504, kind: provider.ErrTimeout},
	} {
		for _, access := range []string{"push", "pull"} {
			t.Run(name+", "+access, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s, m := &service{}, &manager{there: tt.there, lookErr: tt.lookErr, lookTakes: time.Second}
					var mu sync.Mutex
					var kinds []provider.Kind
					opts := []endpoint.Option{endpoint.WithRepositories(m)}
					if tt.id != "" {
						opts = append(opts, endpoint.WithProjectIDs(func(context.Context, string) (string, error) { return tt.id, nil }))
					}
					h := endpoint.New(s, func(*http.Request) (user, error) { return user{name: "alice"}, nil },
						func(context.Context, user, provider.Request) error { return nil },
						append(opts, endpoint.WithAudit(func(_ context.Context, e endpoint.Event) error {
							mu.Lock()
							defer mu.Unlock()
							kinds = append(kinds, e.Kind)
							return nil
						}))...)
					var wait sync.WaitGroup
					for range 100 {
						wait.Go(func() { require.Equal(t, tt.status, ask(t.Context(), h, "hello&access="+access)) })
					}
					wait.Wait()
					require.Equal(t, tt.status, ask(t.Context(), h, "hello&access="+access))
					require.Equal(t, 1, m.looks, "for all of them")
					require.Equal(t, tt.ensured, len(m.asked) == 1, "%v", m.asked)
					for _, kind := range kinds {
						require.Equal(t, tt.kind, kind)
					}
					if tt.status != http.StatusOK {
						require.Empty(t, s.asked, "no credential is issued")
					}
				})
			})
		}
	}
}

// A pull makes no repository, unless the service wants that.
func TestPullsMakeNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := &service{}, &manager{}
		h := ensuring(s, m, nil, nil)
		for range 100 {
			require.Equal(t, http.StatusConflict, ask(t.Context(), h, "hello&access=pull"))
		}
		require.Equal(t, 1, m.looks)
		require.Empty(t, m.asked)
		require.Empty(t, s.asked, "a credential from before there is a repository could outlive the project")
		require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello"), "a push doesn't wait until that is forgotten")
		require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello&access=pull"), "nor does a pull after it")
		require.Equal(t, []provider.Project{{Name: "hello"}}, m.asked)
		require.Equal(t, http.StatusConflict, ask(t.Context(), h, "other&access=pull"))
		m.there = &repository.Owner{Ours: true}
		time.Sleep(3 * time.Second)
		require.Equal(t, http.StatusOK, ask(t.Context(), h, "other&access=pull"), "made by somebody else")
		require.Len(t, m.asked, 1)
	})
	for _, opts := range [][]endpoint.Option{
		{endpoint.WithRepositoriesOnPull(), endpoint.WithRepositories(&manager{})},
		{endpoint.WithRepositories(&manager{}), endpoint.WithRepositoriesOnPull()},
	} {
		h := endpoint.New(&service{}, func(*http.Request) (user, error) { return user{name: "alice"}, nil },
			func(context.Context, user, provider.Request) error { return nil },
			append(opts, endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))...)
		require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello&access=pull"))
	}
}

// A repository whose making failed on the way may lack settings: being there isn't enough then.
func TestUnfinishedRepositories(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := &service{}, &manager{err: provider.ErrThrottled}
		h := ensuring(s, m, nil, nil)
		require.Equal(t, http.StatusServiceUnavailable, ask(t.Context(), h, "hello"))
		m.err, m.there = nil, &repository.Owner{Ours: true}
		time.Sleep(3 * time.Second)
		require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello&access=pull"))
		require.Len(t, m.asked, 2, "finished")
		time.Sleep(time.Hour)
		require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello"))
		require.Len(t, m.asked, 2)
	})
}
