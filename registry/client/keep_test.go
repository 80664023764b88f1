package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// A credential is kept until half of its life is over, whichever of the two ways of saying how long that is ends first.
func TestKept(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	for name, tt := range map[string]struct {
		changes func() map[string]any
		life    time.Duration // zero: it doesn't expire
		kept    time.Duration
	}{
		"both":            {func() map[string]any { return nil }, time.Hour, 30 * time.Minute},
		"a minute":        {func() map[string]any { return map[string]any{"expires_in": 60, "expires_at": at(time.Minute)} }, time.Minute, 30 * time.Second},
		"seconds alone":   {func() map[string]any { return map[string]any{"expires_at": nil} }, time.Hour, 30 * time.Minute},
		"time alone":      {func() map[string]any { return map[string]any{"expires_in": nil} }, time.Hour, 30 * time.Minute},
		"seconds earlier": {func() map[string]any { return map[string]any{"expires_in": 600} }, 10 * time.Minute, 5 * time.Minute},
		"time earlier":    {func() map[string]any { return map[string]any{"expires_at": at(10 * time.Minute)} }, 10 * time.Minute, 5 * time.Minute},
		"without end":     {func() map[string]any { return map[string]any{"expires_in": nil, "expires_at": nil} }, 0, 5 * time.Minute},
		"without end null": {func() map[string]any {
			return map[string]any{"expires_in": any(jsonNull{}), "expires_at": any(jsonNull{})}
		}, 0, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, l := dial(t, func(_ int, r *http.Request) (*http.Response, error) { return credential(t, r, tt.changes()), nil })
				got, err := get(t, c)
				require.NoError(t, err)
				if tt.life == 0 {
					require.Zero(t, got.ExpiresAt)
				} else {
					require.WithinDuration(t, time.Now().Add(tt.life), got.ExpiresAt, 0)
				}
				time.Sleep(tt.kept - time.Millisecond)
				again, err := get(t, c)
				require.NoError(t, err)
				require.Equal(t, got.ExpiresAt, again.ExpiresAt)
				require.Equal(t, 1, l.count())
				time.Sleep(2 * time.Millisecond)
				_, err = get(t, c)
				require.NoError(t, err)
				require.Equal(t, 2, l.count())
			})
		})
	}
}

type jsonNull struct{}

func (jsonNull) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// The life is counted from before the question, as the answer may have taken a while.
func TestLifeBeginsBeforeTheQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c, _ := dial(t, func(_ int, r *http.Request) (*http.Response, error) {
			answer := credential(t, r, map[string]any{"expires_at": nil})
			time.Sleep(20 * time.Second)
			return answer, nil
		})
		got, err := get(t, c)
		require.NoError(t, err)
		require.Equal(t, start.Add(time.Hour), got.ExpiresAt)
	})
}

// What is asked for differs by project and access; nobody gets what another asked for.
func TestKeptApart(t *testing.T) {
	t.Parallel()
	c, l := dial(t, func(_ int, r *http.Request) (*http.Response, error) {
		return credential(t, r, map[string]any{"password": r.URL.Query().Get("project") + r.URL.Query().Get("access")}), nil
	})
	for range 2 {
		for _, project := range []string{"hello", "hello-world"} {
			for _, access := range []provider.Access{provider.Pull, provider.Push} {
				got, err := c.Credentials(t.Context(), project, access)
				require.NoError(t, err)
				require.Equal(t, project+access.String(), got.Password.Reveal())
				require.Equal(t, access, got.Access)
				require.Equal(t, "registry.example.com/rise/"+project, got.Target.String())
			}
		}
	}
	require.Equal(t, 4, l.count())
	c.Forget("hello")
	_, err := c.Credentials(t.Context(), "hello-world", provider.Pull)
	require.NoError(t, err)
	require.Equal(t, 4, l.count())
	_, err = c.Credentials(t.Context(), "hello", provider.Pull)
	require.NoError(t, err)
	require.Equal(t, 5, l.count())
}

// While the endpoint can't answer, what is kept is used on; once it refuses, no longer.
func TestReserve(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		used   bool
		asked  time.Duration // when it is asked again
	}{
		"unavailable": {func(*http.Request) (*http.Response, error) {
			return refusal(http.StatusServiceUnavailable, "unavailable"), nil
		}, true, 10 * time.Second},
		"for a while": {func(*http.Request) (*http.Response, error) {
			r := refusal(http.StatusServiceUnavailable, "unavailable")
			r.Header.Set("Retry-After", "60")
			return r, nil
		}, true, time.Minute},
		"throttled": {func(*http.Request) (*http.Response, error) {
			return refusal(http.StatusTooManyRequests, "too_many_requests"), nil
		}, true, 10 * time.Second},
		"denied": {func(*http.Request) (*http.Response, error) {
			return refusal(http.StatusBadGateway, "upstream_denied"), nil
		}, true, 10 * time.Second},
		"gone":      {func(*http.Request) (*http.Response, error) { return nil, refusedConnection() }, true, 10 * time.Second},
		"silent":    {func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }, true, 10 * time.Second},
		"not found": {func(*http.Request) (*http.Response, error) { return refusal(http.StatusNotFound, "not_found"), nil }, false, 0},
		"no token": {func(*http.Request) (*http.Response, error) {
			return refusal(http.StatusUnauthorized, "unauthenticated"), nil
		}, false, 0},
		"suspended":  {func(*http.Request) (*http.Response, error) { return refusal(http.StatusConflict, "conflict"), nil }, false, 0},
		"a stranger": {func(*http.Request) (*http.Response, error) { return reply(http.StatusOK, "<html>"), nil }, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				broken := false
				c, l := dial(t, func(_ int, r *http.Request) (*http.Response, error) {
					if broken {
						return tt.answer(r)
					}
					return credential(t, r, nil), nil
				})
				start := time.Now()
				first, err := get(t, c)
				require.NoError(t, err)
				broken = true
				time.Sleep(31 * time.Minute)
				got, err := get(t, c)
				require.Equal(t, 2, l.count(), "with a credential in hand nobody waits for another attempt")
				require.Less(t, time.Since(start), 32*time.Minute)
				if !tt.used {
					failed(t, err, provider.KindOf(err))
					broken = false
					_, err = get(t, c)
					require.NoError(t, err)
					require.Equal(t, 3, l.count(), "it wasn't kept")
					return
				}
				require.NoError(t, err)
				require.Equal(t, first.ExpiresAt, got.ExpiresAt)
				time.Sleep(tt.asked - time.Second)
				_, err = get(t, c)
				require.NoError(t, err)
				require.Equal(t, 2, l.count(), "not asked at each use")
				time.Sleep(2 * time.Second)
				_, err = get(t, c)
				require.NoError(t, err)
				require.Equal(t, 3, l.count())
				time.Sleep(time.Until(start.Add(54*time.Minute + time.Second))) // a tenth is left, which is too little to begin with
				_, err = get(t, c)
				failed(t, err, provider.KindOf(err))
				broken = false
				time.Sleep(time.Hour)
				_, err = get(t, c)
				require.NoError(t, err)
			})
		})
	}
}

func refusal(status int, code string) *http.Response {
	return reply(status, fmt.Sprintf(`{"error":"A sentence.","code":%q}`, code), "Content-Type", "application/json")
}

func refusedConnection() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

// Tried again is what may be, when the answer says so, and nothing else.
func TestTriedAgain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer func() (*http.Response, error)
		again  bool
		wait   time.Duration // at least
		most   time.Duration
	}{
		"503":             {func() (*http.Response, error) { return refusal(503, "unavailable"), nil }, true, 500 * time.Millisecond, 600 * time.Millisecond},
		"503 of a proxy":  {func() (*http.Response, error) { return reply(503, "<html>"), nil }, true, 500 * time.Millisecond, 600 * time.Millisecond},
		"503 with a time": {func() (*http.Response, error) { return after(refusal(503, "unavailable"), "7"), nil }, true, 7 * time.Second, 8 * time.Second},
		"429 with a time": {func() (*http.Response, error) { return after(refusal(429, "too_many_requests"), "20"), nil }, true, 20 * time.Second, 22 * time.Second},
		"with a date": {func() (*http.Response, error) {
			return after(refusal(429, "too_many_requests"), httpDate(30*time.Second)), nil
		}, true, 29 * time.Second, 33 * time.Second},
		"with a past date": {func() (*http.Response, error) {
			return after(refusal(429, "too_many_requests"), httpDate(-time.Hour)), nil
		}, true, 500 * time.Millisecond, 600 * time.Millisecond},
		"with a bad time":  {func() (*http.Response, error) { return after(refusal(503, "unavailable"), "-5"), nil }, true, 500 * time.Millisecond, 600 * time.Millisecond},
		"too long to wait": {func() (*http.Response, error) { return after(refusal(503, "unavailable"), "61"), nil }, false, 0, 0},
		"far too long":     {func() (*http.Response, error) { return after(refusal(503, "unavailable"), "99999999999999999"), nil }, false, 0, 0},
		"refused":          {func() (*http.Response, error) { return nil, refusedConnection() }, true, 500 * time.Millisecond, 600 * time.Millisecond},
		"reset":            {func() (*http.Response, error) { return nil, &net.OpError{Op: "read", Err: syscall.ECONNRESET} }, true, 500 * time.Millisecond, 600 * time.Millisecond},
		"ended":            {func() (*http.Response, error) { return nil, io.EOF }, true, 500 * time.Millisecond, 600 * time.Millisecond},
		"HTTP/2's end": {func() (*http.Response, error) {
			return nil, errors.New("http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR")
		}, true, 500 * time.Millisecond, 600 * time.Millisecond},
		"proxy refuses": {func() (*http.Response, error) {
			return nil, &net.OpError{Op: "proxyconnect", Err: refusedConnection()}
		}, true, 500 * time.Millisecond, 600 * time.Millisecond},
		"unknown host": {func() (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
		}, false, 0, 0},
		"redirect":          {func() (*http.Response, error) { return reply(302, "", "Location", "https://login.example.com/"), nil }, false, 0, 0},
		"400":               {func() (*http.Response, error) { return refusal(400, "invalid_request"), nil }, false, 0, 0},
		"401":               {func() (*http.Response, error) { return refusal(401, "unauthenticated"), nil }, false, 0, 0},
		"403":               {func() (*http.Response, error) { return after(reply(403, ""), "1"), nil }, false, 0, 0},
		"404":               {func() (*http.Response, error) { return refusal(404, "not_found"), nil }, false, 0, 0},
		"409":               {func() (*http.Response, error) { return after(refusal(409, "conflict"), "1"), nil }, false, 0, 0},
		"500":               {func() (*http.Response, error) { return after(refusal(500, "internal"), "1"), nil }, false, 0, 0},
		"502":               {func() (*http.Response, error) { return after(refusal(502, "upstream_denied"), "1"), nil }, false, 0, 0},
		"502 of a proxy":    {func() (*http.Response, error) { return reply(502, "<html>"), nil }, false, 0, 0},
		"504":               {func() (*http.Response, error) { return after(refusal(504, "timeout"), "1"), nil }, false, 0, 0},
		"200 with nonsense": {func() (*http.Response, error) { return reply(200, "{}"), nil }, false, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, l := dial(t, func(n int, r *http.Request) (*http.Response, error) {
					if n == 1 {
						return tt.answer()
					}
					return credential(t, r, nil), nil
				})
				start := time.Now()
				_, err := get(t, c)
				if !tt.again {
					failed(t, err, provider.KindOf(err))
					require.Equal(t, 1, l.count())
					require.Equal(t, start, time.Now())
					return
				}
				require.NoError(t, err)
				require.Equal(t, 2, l.count())
				require.GreaterOrEqual(t, time.Since(start), tt.wait)
				require.LessOrEqual(t, time.Since(start), tt.most)
			})
		})
	}
}

func after(r *http.Response, value string) *http.Response {
	r.Header.Set("Retry-After", value)
	return r
}

func httpDate(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }

// What stays broken ends with the client's patience, and is asked ever more rarely.
func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		c, l := dial(t, func(int, *http.Request) (*http.Response, error) { return refusal(503, "unavailable"), nil },
			client.WithPatience(30*time.Second), client.WithLogger(slog.New(slog.NewTextHandler(&logs, nil))))
		start := time.Now()
		_, err := get(t, c)
		require.Equal(t, "unavailable", client.CodeOf(failure(t, err, provider.ErrUnavailable)))
		require.LessOrEqual(t, time.Since(start), 30*time.Second)
		require.Greater(t, time.Since(start), 10*time.Second)
		require.InDelta(t, 7, l.count(), 1)
		require.Contains(t, logs.String(), "asking again")
		require.NotContains(t, logs.String(), token)
	})
}

// A caller with less time than the endpoint asks for hears what is wrong at once, and not that its time is up.
func TestCallersDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, l := dial(t, func(int, *http.Request) (*http.Response, error) { return after(refusal(503, "unavailable"), "20"), nil })
		start := time.Now()
		_, err := c.Credentials(within(t, 10*time.Second), "hello", provider.Push)
		e := failure(t, err, provider.ErrUnavailable)
		require.Equal(t, 20*time.Second, e.RetryAfter)
		require.Equal(t, 1, l.count())
		require.Equal(t, start, time.Now())

		// While another one waits longer, who leaves is told what that one waits for.
		var wait sync.WaitGroup
		wait.Go(func() {
			_, err := c.Credentials(within(t, 50*time.Second), "hello", provider.Push)
			failed(t, err, provider.ErrUnavailable)
		})
		synctest.Wait()
		_, err = c.Credentials(within(t, 10*time.Second), "hello", provider.Push)
		failed(t, err, provider.ErrTimeout)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "unavailable at present")
		wait.Wait()
	})
}

// One that hangs is given up, and not asked again.
func TestHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, l := dial(t, func(_ int, r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, client.WithTimeout(7*time.Second))
		start := time.Now()
		_, err := get(t, c)
		failed(t, err, provider.ErrTimeout)
		require.Equal(t, 7*time.Second, time.Since(start))
		require.Equal(t, 1, l.count())
	})
}

// Who asks for the same at once shares one request; who leaves doesn't end it for the others, and the last one does.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := 0
		c, l := dial(t, func(n int, r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(20 * time.Second):
				return credential(t, r, map[string]any{"password": fmt.Sprintf("secret-%d", n)}), nil
			case <-r.Context().Done():
				ended++
				return nil, r.Context().Err()
			}
		})
		var wait sync.WaitGroup
		first, cancelFirst := context.WithCancel(t.Context())
		wait.Go(func() {
			_, err := c.Credentials(first, "hello", provider.Push)
			failed(t, err, provider.ErrTimeout)
			require.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		for range 50 {
			wait.Go(func() {
				got, err := c.Credentials(t.Context(), "hello", provider.Push)
				require.NoError(t, err)
				require.Equal(t, "secret-1", got.Password.Reveal())
			})
		}
		wait.Go(func() { // another access is another request
			_, err := c.Credentials(t.Context(), "hello", provider.Pull)
			require.NoError(t, err)
		})
		synctest.Wait()
		cancelFirst()
		wait.Wait()
		require.Equal(t, 2, l.count())
		require.Zero(t, ended)

		c.Forget("hello")
		alone, cancel := context.WithCancel(t.Context())
		wait.Go(func() {
			_, err := c.Credentials(alone, "hello", provider.Push)
			require.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		cancel()
		wait.Wait()
		synctest.Wait()
		require.Equal(t, 1, ended, "nobody waits for it any longer")
		got, err := get(t, c)
		require.NoError(t, err)
		require.Equal(t, "secret-4", got.Password.Reveal())
	})
}

// What was asked for before it was forgotten isn't kept, nor given to who comes after.
func TestForgottenMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, l := dial(t, func(n int, r *http.Request) (*http.Response, error) {
			time.Sleep(time.Duration(3-n) * time.Second) // the forgotten one ends last
			return credential(t, r, map[string]any{"password": fmt.Sprintf("secret-%d", n)}), nil
		})
		var wait sync.WaitGroup
		wait.Go(func() {
			got, err := c.Credentials(t.Context(), "hello", provider.Push)
			require.NoError(t, err)
			require.Equal(t, "secret-1", got.Password.Reveal())
		})
		synctest.Wait()
		c.Forget("hello")
		for range 2 {
			got, err := get(t, c)
			require.NoError(t, err)
			require.Equal(t, "secret-2", got.Password.Reveal())
			wait.Wait()
		}
		require.Equal(t, 2, l.count())
	})
}

// A context that has ended asks nobody.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	c, l := dial(t, func(_ int, r *http.Request) (*http.Response, error) { return credential(t, r, nil), nil })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Credentials(ctx, "hello", provider.Push)
	failed(t, err, provider.ErrTimeout)
	require.Zero(t, l.count())
}

// What has ended doesn't stay in memory, however many projects there are.
func TestMemory(t *testing.T) { // not beside others: the heap is theirs too
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("x", 10<<10)
		c, err := client.New(base, client.Fixed(provider.NewSecret(token)), client.WithHTTPClient(&http.Client{Transport: forgetful(func(r *http.Request) (*http.Response, error) {
			return credential(t, r, map[string]any{"password": long + r.URL.Query().Get("project")}), nil
		})}))
		require.NoError(t, err)
		before := heap()
		for i := range 600 {
			_, err := c.Credentials(t.Context(), fmt.Sprintf("project-%d", i), provider.Pull)
			require.NoError(t, err)
			time.Sleep(time.Minute)
		}
		require.Less(t, heap(), before+3<<20, "6 MB were handed out")
		runtime.KeepAlive(c)
	})
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
