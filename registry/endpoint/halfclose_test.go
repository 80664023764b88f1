package endpoint_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// A client that ends its half of the connection looks gone to net/http, and reads the answer all the same: what it was
// refused is a refusal.
func TestRefusedBehindAClosedHalf(t *testing.T) {
	t.Parallel()
	gone := func(ctx context.Context) { // as a look-up that takes a moment
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
		}
	}
	for name, s := range map[string]*service{
		"401": {authenticate: func(r *http.Request) (user, error) { gone(r.Context()); return user{}, endpoint.ErrUnauthenticated }},
		"404": {authorize: func(ctx context.Context, _ user, _ provider.Request) error { gone(ctx); return provider.ErrNotFound }},
	} {
		host, path, _ := strings.Cut(strings.TrimPrefix(s.serve(t), "http://"), "/")
		conn, err := net.Dial("tcp", host)
		require.NoError(t, err)
		_, err = io.WriteString(conn, "GET /"+path+"?project=hello HTTP/1.1\r\nHost: x\r\nAuthorization: "+bearer+"\r\n\r\n")
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.Contains(t, resp.Status, name)
		s.mu.Lock()
		require.Equal(t, endpoint.Refused, s.events[0].Outcome, name)
		s.mu.Unlock()
		_ = conn.Close()
	}
}
