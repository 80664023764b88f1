package client_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// other is a keychain of one's own.
type other struct{}

func (other) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig{Username: "own", Password: "own"}), nil
}

func loginAt(t *testing.T, k authn.Keychain, host string) (*authn.AuthConfig, error) {
	t.Helper()
	resource, err := name.NewRepository(host + "/rise/hello")
	require.NoError(t, err)
	auth, err := authn.Resolve(t.Context(), k, resource)
	if err != nil {
		return nil, err
	}
	return authn.Authorization(t.Context(), auth)
}

// The registry's host gets the project's login, every other one its own.
func TestKeychain(t *testing.T) {
	t.Parallel()
	s := &service{host: "registry.example.com:5000", method: provider.LoginCredentials, life: time.Hour}
	for _, opts := range [][]client.Option{nil, {client.WithRegistry("registry.example.com:5000")}} {
		c, _ := s.serve(t, opts...)
		k := c.Keychain("hello", provider.Push, other{})
		for host, want := range map[string]string{
			"registry.example.com:5000": "AWS", "Registry.Example.com:5000": "AWS",
			"registry.example.com": "own", "registry.example.com:5001": "own", "evil-registry.example.com:5000": "own", "docker.io": "own",
		} {
			got, err := loginAt(t, k, host)
			require.NoError(t, err)
			require.Equal(t, want, got.Username, host)
		}
		got, err := loginAt(t, c.Keychain("hello", provider.Push, nil), "other.example.com")
		require.NoError(t, err)
		require.Equal(t, &authn.AuthConfig{}, got)
		got, err = loginAt(t, c.Keychain("hello", provider.Push, nil), "registry.example.com:5000")
		require.NoError(t, err)
		require.Equal(t, "AWS", got.Username)
		_, err = loginAt(t, c.Keychain("unknown", provider.Push, other{}), "registry.example.com:5000")
		failed(t, err, provider.ErrNotFound) // never another login, nor none
	}
	c, l := dial(t, func(int, *http.Request) (*http.Response, error) { return refusal(401, "unauthenticated"), nil }, client.WithRegistry("registry.example.com"))
	got, err := loginAt(t, c.Keychain("hello", provider.Pull, other{}), "docker.io")
	require.NoError(t, err)
	require.Equal(t, "own", got.Username)
	require.Zero(t, l.count(), "what isn't its business needs no network")
}

// A registry that takes the client's own login, and one that takes tokens.
func TestKeychainMethods(t *testing.T) {
	t.Parallel()
	s := &service{host: "registry.example.com", method: provider.ClientLogin}
	c, _ := s.serve(t)
	got, err := loginAt(t, c.Keychain("hello", provider.Push, other{}), "registry.example.com")
	require.NoError(t, err)
	require.Equal(t, "own", got.Username)
	_, err = loginAt(t, c.Keychain("hello", provider.Push, nil), "registry.example.com")
	failed(t, err, provider.ErrUnsupported)

	s = &service{host: "registry.example.com", method: provider.RegistryToken, life: time.Hour}
	c, _ = s.serve(t)
	got, err = loginAt(t, c.Keychain("hello", provider.Push, other{}), "registry.example.com")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(got.RegistryToken, password))
	require.Empty(t, got.Username)
}

// A registry that moved isn't given the login of the new place.
func TestKeychainMoved(t *testing.T) {
	t.Parallel()
	host := "one.example.com"
	c, _ := dial(t, func(_ int, r *http.Request) (*http.Response, error) {
		return credential(t, r, map[string]any{"registry_url": host + "/rise/hello"}), nil
	})
	k := c.Keychain("hello", provider.Push, other{})
	resource, err := name.NewRepository("one.example.com/rise/hello")
	require.NoError(t, err)
	auth, err := k.Resolve(resource)
	require.NoError(t, err)
	_, err = auth.Authorization()
	require.NoError(t, err)
	host = "two.example.com"
	c.Forget("hello")
	_, err = auth.Authorization()
	failed(t, err, provider.ErrBadResponse)
	got, err := loginAt(t, k, "one.example.com")
	require.NoError(t, err)
	require.Equal(t, "own", got.Username)
	got, err = loginAt(t, k, "two.example.com")
	require.NoError(t, err)
	require.Equal(t, "AWS", got.Username)
}

// A push that outlives its credential goes through, as each request to the registry has the one of that time. Time is measured in requests.
func TestPushOutlivesCredential(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var c *client.Client
	valid, uses, renewed := "", 0, 0
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, sent, _ := r.BasicAuth()
		mu.Lock()
		ok := sent != "" && sent == valid
		if ok {
			if uses++; uses%5 == 0 { // its end: the client knows by the clock, this test's by the count
				valid = ""
				renewed++
				c.Forget("hello")
			}
		}
		mu.Unlock()
		if !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="short-lived"`)
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		images.ServeHTTP(w, r)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	c, _ = dial(t, func(n int, r *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		valid = strings.Repeat("x", n)
		return credential(t, r, map[string]any{"registry_url": host + "/rise/hello", "password": valid}), nil
	})
	image, err := random.Image(1024, 8)
	require.NoError(t, err)
	ref, err := name.ParseReference(host + "/rise/hello:v1")
	require.NoError(t, err)
	ctx := context.Background()
	require.NoError(t, remote.Write(ref, image, remote.WithContext(ctx), remote.WithAuthFromKeychain(c.Keychain("hello", provider.Push, nil)), remote.WithJobs(1)))
	require.Greater(t, renewed, 2)
}
