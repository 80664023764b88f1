package bounds_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
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

	"github.com/rise-deploy/rise-registry-go/examples/internal/bounds"
)

// serve serves a handler with at most so many connections.
func serve(t *testing.T, most int, secure bool, h http.HandlerFunc) (*bounds.Connections, *httptest.Server) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	c := bounds.NewConnections(most, 0)
	s.Listener = c.Apply(s.Config, s.Listener)
	if secure {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return c, s
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

// ask asks over a new connection, which it keeps open.
func ask(t *testing.T, s *httptest.Server) (net.Conn, string) {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return c, string(body)
}

// Connections that send nothing, or half of a header, are those that go; who asks is answered, however many there are.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs 127.0.0.2 and the like")
	}
	const most = 40 // of which an address may have 20
	stranger := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c, s := serve(t, most, false, hello)
	var slow []net.Conn
	for i := range 200 {
		one, err := stranger.Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		defer one.Close() //nolint:errcheck // of a test
		if i%2 == 0 {
			_, _ = io.WriteString(one, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		}
		slow = append(slow, one)
		if i%10 == 0 {
			_, body := ask(t, s)
			require.Equal(t, "hello", body)
		}
	}
	require.GreaterOrEqual(t, c.Ended(), uint64(50), "others of its came in vain")
	require.NoError(t, slow[0].SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err := slow[0].Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "the oldest was ended")
}

// While all have requests that are answered, nobody is cut off: the next one waits. But one address has half of them, and more of its own come in vain.
func TestBusyConnections(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs 127.0.0.2 and the like")
	}
	for _, secure := range []bool{false, true} {
		release, arrived := make(chan struct{}), make(chan struct{}, 10)
		c, s := serve(t, 2, secure, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				arrived <- struct{}{}
				<-release
			}
			hello(w, r)
		})
		get := func(from, path string) (string, error) {
			transport := s.Client().Transport.(*http.Transport).Clone()
			transport.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext
			client := http.Client{Transport: transport}
			defer client.CloseIdleConnections()
			resp, err := client.Get(s.URL + path) //nolint:noctx // of a test
			if err != nil {
				return "", err
			}
			defer resp.Body.Close() //nolint:errcheck // read
			body, err := io.ReadAll(resp.Body)
			return string(body), err
		}
		var wait sync.WaitGroup
		for i := range 2 {
			wait.Go(func() {
				body, err := get(fmt.Sprintf("127.0.0.%d", i+1), "/slow")
				require.NoError(t, err)
				require.Equal(t, "hello", body)
			})
			<-arrived
		}
		answered := make(chan string, 1)
		go func() { body, err := get("127.0.0.3", "/"); answered <- body + fmt.Sprint(err) }()
		select {
		case <-answered:
			require.Fail(t, "there was no room")
		case <-time.After(50 * time.Millisecond): // nothing shows that somebody waits in the kernel
		}
		close(release)
		wait.Wait()
		require.Equal(t, "hello<nil>", <-answered)
		require.LessOrEqual(t, c.Ended(), uint64(2))
	}
}

// One address has its share, and no more, while others have theirs.
func TestShareOfAnAddress(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs 127.0.0.2 and the like")
	}
	release, arrived := make(chan struct{}), make(chan struct{}, 10)
	defer close(release)
	_, s := serve(t, 8, false, func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-release })
	begin := func(from string) net.Conn {
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		return c
	}
	for range 4 {
		begin("127.0.0.2")
		<-arrived
	}
	_, err := begin("127.0.0.2").Read(make([]byte, 1))
	require.Error(t, err, "it is cut at once")
	for range 4 {
		begin("127.0.0.1")
		<-arrived
	}
}

// A listener that is closed ends, though there was no room.
func TestCloseWhenFull(t *testing.T) {
	t.Parallel()
	release, arrived := make(chan struct{}), make(chan struct{})
	s := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(arrived); <-release }), ReadHeaderTimeout: time.Minute}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error)
	l = bounds.NewConnections(1, 0).Apply(s, l)
	go func() { ended <- s.Serve(l) }()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer c.Close() //nolint:errcheck // of a test
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	<-arrived
	go func() { _ = s.Close() }()
	require.ErrorIs(t, <-ended, http.ErrServerClosed)
	close(release)
}

func TestRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		q := bounds.NewRequests(2)
		h := q.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-release; hello(w, r) }))
		do := func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			return w
		}
		for range 2 {
			go do()
		}
		synctest.Wait()
		require.Equal(t, 2, q.InFlight())
		w := do()
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		require.JSONEq(t, `{"error":"The service is busy; try again later.","code":"unavailable"}`, w.Body.String())
		close(release)
		synctest.Wait()
		require.Zero(t, q.InFlight())
		require.Equal(t, http.StatusOK, do().Code)
	})
}

func TestCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		other := time.Duration(0)
		limit := bounds.NewCallers(2, 1000).Limit(func(context.Context, string) time.Duration { return other })
		first, end := context.WithCancel(t.Context())
		require.Zero(t, limit(first, "greedy"))
		require.Zero(t, limit(t.Context(), "greedy"))
		require.Equal(t, time.Second, limit(t.Context(), "greedy"))
		require.Zero(t, limit(t.Context(), "other"))
		end()
		synctest.Wait()
		require.Zero(t, limit(t.Context(), "greedy"))
		other = time.Minute
		require.Equal(t, time.Minute, limit(t.Context(), "third"))
		other = 0
		require.Zero(t, limit(t.Context(), "third"))
	})
}

// More a second than a caller's share wait for their turn, and others don't.
func TestCallersTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limit := bounds.NewCallers(50, 10).Limit(nil)
		start := time.Now()
		var last atomic.Int64
		var wait sync.WaitGroup
		for range 40 {
			wait.Go(func() {
				ctx, end := context.WithCancel(t.Context())
				defer end()
				require.Zero(t, limit(ctx, "greedy"))
				last.Store(int64(time.Since(start))) // turns come in order
			})
		}
		synctest.Wait()
		require.Zero(t, limit(t.Context(), "other"))
		require.Zero(t, time.Since(start))
		wait.Wait()
		require.Equal(t, 3800*time.Millisecond, time.Duration(last.Load()), "two at once, 38 at ten a second")
		for i := range 5000 { // who is gone is forgotten
			ctx, end := context.WithCancel(t.Context())
			require.Zero(t, limit(ctx, strconv.Itoa(i)))
			end()
			time.Sleep(time.Second)
		}
	})
}

// What nobody has to pay for is answered at its own pace, while what is asked rightly is answered at once; and who waits for a refusal makes room.
func TestPace(t *testing.T) {
	t.Parallel()
	_, s := serve(t, 400, false, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		hello(w, r)
	})
	ctx, cancel := context.WithCancel(t.Context())
	var refused atomic.Int64
	var wait sync.WaitGroup
	start := time.Now()
	for range 80 {
		wait.Go(func() {
			for ctx.Err() == nil {
				r, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/refused", nil)
				if resp, err := http.DefaultClient.Do(r); err == nil {
					_ = resp.Body.Close()
					refused.Add(1)
				}
			}
		})
	}
	for refused.Load() < 800 {
		c, body := ask(t, s)
		require.Equal(t, "hello", body)
		require.NoError(t, c.Close())
	}
	took := time.Since(start)
	cancel()
	wait.Wait()
	require.GreaterOrEqual(t, took, time.Second, "100 at once, and 500 a second: no machine is quicker")
}

// Scrapes: so many a second, and no flood takes more.
func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		h := bounds.Rate(3, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n++; hello(w, r) }))
		for range 10 {
			for range 1000 {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
				require.True(t, w.Code == http.StatusOK || w.Code == http.StatusServiceUnavailable && strings.Contains(w.Body.String(), "Too many scrapes"))
			}
			time.Sleep(time.Second)
		}
		require.Equal(t, 30, n)
	})
}

func TestFit(t *testing.T) {
	t.Parallel()
	require.Equal(t, 10, bounds.Fit(10))
	require.Positive(t, bounds.Fit(1<<40))
}
