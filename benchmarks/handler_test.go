package main

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// writer is an http.ResponseWriter that keeps nothing.
type writer struct{ header http.Header }

func (w writer) Header() http.Header         { return w.header }
func (w writer) Write(p []byte) (int, error) { return len(p), nil }
func (w writer) WriteHeader(int)             {}

// BenchmarkEndpoint is the handler alone, without the server that both it and a bare handler need.
func BenchmarkEndpoint(b *testing.B) {
	u := newUpstream(false)
	defer u.server.Close()
	withoutAWS()
	require.NoError(b, u.environment(b.TempDir()))
	p, err := built(b.Context())
	require.NoError(b, err)
	defer func() { require.NoError(b, provider.Close(p)) }()
	h := ourHandler(p)
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+bearer)
	w := writer{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

// BenchmarkExchange is /token alone, and the least that it could be.
func BenchmarkExchange(b *testing.B) {
	i, err := newIssuer(b.Context())
	require.NoError(b, err)
	for _, one := range []struct {
		name    string
		handler http.Handler
	}{{"floor", i.floor}, {"ours", i.token}} {
		b.Run(one.name, func(b *testing.B) {
			var requests []*http.Request
			for _, text := range i.exchanges {
				r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
				require.NoError(b, err)
				requests = append(requests, r)
			}
			w := writer{http.Header{}}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				clear(w.header)
				one.handler.ServeHTTP(w, requests[n%len(requests)])
			}
		})
	}
}
