package client_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// BenchmarkKept is a request whose answer is kept: what each use of a keychain costs.
func BenchmarkKept(b *testing.B) {
	c := benchClient(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Credentials(b.Context(), "hello", provider.Pull); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAsked is a request that is asked, but for the network: what the client adds to the endpoint's time.
func BenchmarkAsked(b *testing.B) {
	c := benchClient(b)
	b.ReportAllocs()
	for b.Loop() {
		c.Forget("hello")
		if _, err := c.Credentials(b.Context(), "hello", provider.Pull); err != nil {
			b.Fatal(err)
		}
	}
}

func benchClient(b *testing.B) *client.Client {
	b.Helper()
	l := forgetful(func(r *http.Request) (*http.Response, error) { return credential(b, r, nil), nil })
	c, err := client.New(base, client.Fixed(provider.NewSecret(token)), client.WithHTTPClient(&http.Client{Transport: l}))
	require.NoError(b, err)
	return c
}
