package bounds_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/bounds"
)

// pipes is a listener without a network.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// from is a connection's end that names an address.
type from struct {
	net.Conn
	address net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.address }

// connect is for a client at an address.
func (p *pipes) connect(address string) net.Conn {
	client, server := net.Pipe()
	p.accept <- from{server, &net.TCPAddr{IP: net.ParseIP(address), Port: 1}}
	return client
}

// What is more of one address than its share is held for two seconds, and then goes one by one, so that nobody waits behind those who come again.
func TestParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				<-release
			}
			hello(w, r)
		})}
		line := &pipes{accept: make(chan net.Conn), closed: make(chan struct{})}
		l := bounds.NewConnections(8, 100).Apply(s, line)
		ended := make(chan error)
		go func() { ended <- s.Serve(l) }()

		start := time.Now()
		var mu sync.Mutex
		cut := map[time.Duration]int{}
		gone := func() (n int) {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			for _, at := range cut {
				n += at
			}
			return n
		}
		flood := func(n int) {
			for range n {
				c := line.connect("203.0.113.9")
				go func() {
					_, _ = io.WriteString(c, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
					_, err := http.ReadResponse(bufio.NewReader(c), nil)
					if err != nil {
						mu.Lock()
						defer mu.Unlock()
						cut[time.Since(start)]++
					}
				}()
			}
			synctest.Wait()
		}
		flood(4) // are answered
		flood(100)
		require.Zero(t, gone(), "they are held")
		flood(3)
		require.Equal(t, 3, gone(), "no place is left")
		require.Zero(t, time.Since(start))
		for range 100 {
			c := line.connect("192.0.2.1")
			go func() { _, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") }()
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.NoError(t, c.Close())
			synctest.Wait()
		}
		require.Zero(t, time.Since(start), "others are answered at once")

		time.Sleep(2*time.Second - 1)
		require.Equal(t, 3, gone())
		time.Sleep(50*time.Millisecond + 1)
		require.InDelta(t, 3+50, gone(), 2, "one each millisecond")
		time.Sleep(50 * time.Millisecond)
		require.Equal(t, 103, gone())

		flood(50) // the server ends before their time
		close(release)
		synctest.Wait()
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
		require.Equal(t, 153, gone())
	})
}

func TestSpare(t *testing.T) {
	t.Parallel()
	require.Zero(t, bounds.Spare(1<<62))
	require.LessOrEqual(t, bounds.Spare(10), 30)
	require.LessOrEqual(t, 4*bounds.Spare(2048), max(0, bounds.Fit(1<<62)-2048))
}
