package main

import (
	"net/http"
	"net/http/httptest"
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
