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
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// crowd is an endpoint whose callers say themselves who they are, and an upstream where looking and making take their time.
type crowd struct {
	repository.Manager
	h            http.Handler
	looks, makes time.Duration
	exists       func(project string) bool // nil: nothing does
	busy         atomic.Int64              // in the manager
	made         atomic.Int64

	mu     sync.Mutex
	events []endpoint.Event
}

func newCrowd(t *testing.T, c *crowd, opts ...endpoint.Option) *crowd {
	t.Helper()
	t.Cleanup(func() { time.Sleep(2 * time.Second) }) // in which what had begun ends
	c.h = endpoint.New(&forgetful{},
		func(r *http.Request) (user, error) { return user{name: r.Header.Get("Subject")}, nil },
		func(context.Context, user, provider.Request) error { return nil },
		append([]endpoint.Option{endpoint.WithRepositories(c), endpoint.WithAudit(func(_ context.Context, e endpoint.Event) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.events = append(c.events, e)
			return nil
		})}, opts...)...)
	return c
}

// forgetful is a service that doesn't note who asked.
type forgetful struct{ service }

func (f *forgetful) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	return f.good(r), nil
}

func (c *crowd) take(ctx context.Context, d time.Duration) error {
	c.busy.Add(1)
	defer c.busy.Add(-1)
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *crowd) RepositoryOwner(ctx context.Context, project string) (repository.Owner, error) {
	if err := c.take(ctx, c.looks); err != nil {
		return repository.Owner{}, err
	}
	if c.exists != nil && c.exists(project) {
		return repository.Owner{Ours: true}, nil
	}
	return repository.Owner{}, provider.ErrNotFound
}

func (c *crowd) EnsureRepository(ctx context.Context, _ provider.Project, _ repository.EnsureOptions) (repository.Change, error) {
	if err := c.take(ctx, c.makes); err != nil {
		return repository.Change{}, err
	}
	c.made.Add(1)
	return repository.Change{Owner: repository.Owner{Ours: true}}, nil
}

func (c *crowd) ask(ctx context.Context, subject, query string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/?project="+query, nil)
	r.Header.Set("Subject", subject)
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	return w
}

// flood has each of subjects ask for ever new projects over connections of its own, until ctx ends.
func (c *crowd) flood(ctx context.Context, wait *sync.WaitGroup, connections int, subjects ...string) {
	var n atomic.Int64
	for _, subject := range subjects {
		for range connections {
			wait.Go(func() {
				for ctx.Err() == nil {
					access := map[bool]string{true: "&access=pull"}[subject == "pull"]
					asking, leave := context.WithTimeout(ctx, map[bool]time.Duration{true: 150 * time.Millisecond, false: time.Hour}[subject == "hasty"])
					if c.ask(asking, subject, "noise-"+strconv.FormatInt(n.Add(1), 10)+access).Code == http.StatusServiceUnavailable {
						time.Sleep(10 * time.Millisecond) // or no time would ever pass here
					}
					leave()
				}
			})
		}
	}
}

// One caller's noise stays its own: 3,000 connections that ask for ever new projects delay another's first credential by at most
// one making where its repository has to be made, and by at most one look where it is there.
func TestNoiseStaysItsOwn(t *testing.T) {
	t.Parallel()
	const look, making = 100 * time.Millisecond, time.Second
	for name, tt := range map[string]struct {
		noisy   []string
		project string
		access  string
		alone   time.Duration
		delay   time.Duration
	}{
		"new":                  {[]string{"mallory"}, "new", "push", look + making, look + making},
		"there":                {[]string{"mallory"}, "alice", "push", look, look},
		"there, pull":          {[]string{"mallory"}, "alice", "pull", look, look},
		"new, several":         {[]string{"mallory", "m2", "m3", "m4"}, "new", "push", look + making, look + making},
		"there, several":       {[]string{"mallory", "m2", "m3", "m4"}, "alice", "push", look, look},
		"more than places":     {strings.Split("a b c d e f g h i j k l m n o p q r s t", " "), "new", "push", look + making, 2 * (look + making)},
		"leaving":              {[]string{"hasty"}, "new", "push", look + making, look + making},
		"leaving, there":       {[]string{"hasty"}, "alice", "pull", look, look},
		"nobody":               {nil, "new", "push", look + making, 0},
		"by pulls":             {[]string{"pull"}, "new", "push", look + making, look + making},
		"by pulls, what's new": {[]string{"pull"}, "alice", "pull", look, look},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, &crowd{looks: look, makes: making, exists: func(p string) bool { return p == "alice" }})
				ctx, cancel := context.WithCancel(t.Context())
				var wait sync.WaitGroup
				if len(tt.noisy) > 0 {
					connections := many(3000) / len(tt.noisy)
					if tt.noisy[0] == "hasty" { // each makes many requests
						connections = many(500)
					}
					c.flood(ctx, &wait, connections, tt.noisy...)
				}
				time.Sleep(3*time.Second + 37*time.Millisecond)
				start := time.Now()
				require.Equal(t, http.StatusOK, c.ask(t.Context(), "alice", tt.project+"&access="+tt.access).Code)
				took := time.Since(start)
				require.GreaterOrEqual(t, took, tt.alone)
				require.LessOrEqual(t, took, tt.alone+tt.delay)
				cancel()
				wait.Wait()
			})
		})
	}
}

// many is n, or as many as the race detector takes.
func many(n int) int {
	if raceEnabled {
		return n / 10
	}
	return n
}

// Who wants what another waits for too has it in its own turn.
func TestNoTurnIsAnothers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, &crowd{makes: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		for i := range many(2000) {
			wait.Go(func() { c.ask(ctx, "mallory", "p"+strconv.Itoa(i)) })
		}
		synctest.Wait()
		wait.Go(func() { c.ask(ctx, "mallory", "shared") })
		synctest.Wait()
		start := time.Now()
		require.Equal(t, http.StatusOK, c.ask(t.Context(), "alice", "shared").Code)
		require.LessOrEqual(t, time.Since(start), 2*time.Second)
		cancel()
		wait.Wait()
	})
}

// Where too many wait, whoever makes them too many is refused, and nobody else.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("takes more goroutines than the race detector does")
	}
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, &crowd{makes: time.Second})
		var wait sync.WaitGroup
		var refused, others atomic.Int64
		for i := range 6000 {
			wait.Go(func() {
				switch w := c.ask(t.Context(), "mallory", "p"+strconv.Itoa(i)); w.Code {
				case http.StatusServiceUnavailable:
					require.NotEmpty(t, w.Header().Get("Retry-After"))
					require.Contains(t, w.Body.String(), `"code":"unavailable"`)
					refused.Add(1)
				default:
					others.Add(1)
				}
			})
		}
		synctest.Wait()
		require.EqualValues(t, 6000-4096-16, refused.Load(), "at once, and not when their time is over")
		for i := range 100 {
			wait.Go(func() { require.Equal(t, http.StatusOK, c.ask(t.Context(), "alice", "a"+strconv.Itoa(i)).Code) })
		}
		synctest.Wait()
		require.EqualValues(t, 6000-4096-16+100, refused.Load(), "for each of alice's one of mallory's")
		wait.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, e := range c.events {
			if e.Status == http.StatusServiceUnavailable {
				require.Equal(t, provider.ErrThrottled, e.Kind)
			}
		}
	})
}

// atMost tells whether there are at most n goroutines. The runtime counts those that have just ended for a moment longer.
func atMost(n int) bool {
	for range 100_000 {
		if runtime.NumGoroutine() <= n {
			return true
		}
		runtime.Gosched()
	}
	return false
}

// Callers that leave at once leave nothing behind, whether the upstream stalls or not.
func TestLeaversLeaveNothing(t *testing.T) { //nolint:paralleltest // counts goroutines
	for name, tt := range map[string]struct {
		c *crowd
		n int
	}{
		"looks stall":   {&crowd{looks: time.Hour}, 30_000},
		"makings stall": {&crowd{makes: time.Hour}, 5_000},
		"nothing does":  {&crowd{looks: time.Millisecond, makes: time.Millisecond}, 5_000},
	} {
		c := tt.c
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // counts goroutines
			synctest.Test(t, func(t *testing.T) {
				newCrowd(t, c)
				before := runtime.NumGoroutine()
				var wait sync.WaitGroup
				for i := range many(tt.n) {
					ctx, cancel := context.WithTimeout(t.Context(), 50*time.Microsecond)
					wait.Go(func() {
						defer cancel()
						c.ask(ctx, "mallory", "m"+strconv.Itoa(i))
					})
					if i%3000 == 0 { // connections
						wait.Wait()
					}
				}
				wait.Wait()
				synctest.Wait()
				if name == "looks stall" {
					require.Zero(t, c.busy.Load())
				}
				require.LessOrEqual(t, c.busy.Load(), int64(16), "what has begun to be made goes on for a moment")
				require.True(t, atMost(before+16), runtime.NumGoroutine())
				time.Sleep(2 * time.Second)
				synctest.Wait()
				require.Zero(t, c.busy.Load())
				require.True(t, atMost(before), runtime.NumGoroutine())
				c.looks, c.makes = 0, 0
				require.Equal(t, http.StatusOK, c.ask(t.Context(), "alice", "m1").Code, "nor what they had failed with")
			})
		})
	}
}

// A making that has begun is ended only a moment after the last one has left, so that who comes back finds it made.
func TestMakingGoesOnForAMoment(t *testing.T) {
	t.Parallel()
	for takes, made := range map[time.Duration]int64{3 * time.Second: 1, 7 * time.Second: 0} {
		synctest.Test(t, func(t *testing.T) {
			c := newCrowd(t, &crowd{makes: takes})
			for range 3 { // each leaves after half a second, and begins the moment anew
				ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
				require.Equal(t, http.StatusGatewayTimeout, c.ask(ctx, "alice", "hello").Code)
				cancel()
			}
			time.Sleep(2*time.Second + time.Millisecond)
			require.Equal(t, made, c.made.Load())
			require.Zero(t, c.busy.Load())
			require.Equal(t, http.StatusOK, c.ask(t.Context(), "alice", "hello").Code)
			require.EqualValues(t, 1, c.made.Load())
		})
	}
}

// What is remembered of failures is bounded.
func TestFailuresMemory(t *testing.T) { //nolint:paralleltest // measures the heap
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	h := endpoint.New(&forgetful{}, func(*http.Request) (user, error) { return user{name: "mallory"}, nil },
		func(context.Context, user, provider.Request) error { return nil },
		endpoint.WithRepositories(verbose{}), endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))
	before := heap()
	for i := range 12_000 {
		require.Equal(t, http.StatusBadGateway, ask(t.Context(), h, "p"+strconv.Itoa(i)))
	}
	require.Less(t, heap(), before+48<<20)
	runtime.KeepAlive(h)
}

// verbose fails with eight kilobytes.
type verbose struct{ repository.Manager }

func (verbose) RepositoryOwner(context.Context, string) (repository.Owner, error) {
	return repository.Owner{}, &provider.Error{Kind: provider.ErrAccessDenied, Err: errors.New(strings.Repeat("x", 8192))}
}
