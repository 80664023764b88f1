package registry_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// hourly issues credentials for an hour, once released, until it fails.
type hourly struct {
	release chan struct{}
	fails   atomic.Bool
}

func (h *hourly) Repository(project string, _ provider.Consumer) (name.Repository, error) {
	return name.NewRepository("r.example.com/" + project)
}

func (h *hourly) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	select {
	case <-h.release:
	case <-ctx.Done():
		return provider.Credentials{}, &provider.Error{Kind: provider.ErrTimeout, Op: "wait", Err: ctx.Err()}
	}
	if h.fails.Load() {
		return provider.Credentials{}, &provider.Error{Kind: provider.ErrUnavailable, Op: "issue", Err: errors.New("down")}
	}
	target, err := h.Repository(r.Project, r.Consumer)
	return provider.Credentials{
		Target: target, Access: r.Access, Method: provider.LoginCredentials, Username: "u", Password: provider.NewSecret("p"), ExpiresAt: time.Now().Add(time.Hour),
	}, err
}

// build makes h's provider with that cache section.
func build(t *testing.T, h *hourly, c registry.CacheConfig) provider.Provider {
	t.Helper()
	f, err := registry.NewFactory(provider.NewBuilder("hourly", nil, func(context.Context, struct{}) (*hourly, error) { return h, nil }))
	require.NoError(t, err)
	config := f.Config()
	require.NoError(t, config.SetConfigType("hourly"))
	config.Cache = c
	p, err := f.Build(t.Context(), config)
	require.NoError(t, err)
	return p
}

// reuse is what a cache section does: whether there is a cache, how many credentials it issues at once, how long 200 take, and for how long it
// hands out one while the upstream is down.
func reuse(t *testing.T, c registry.CacheConfig) (seen string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &hourly{release: make(chan struct{})}
		p := build(t, h, c)
		k, cached := provider.As[*cache.Cache](p)
		seen = fmt.Sprint("cached ", cached)
		if !cached {
			return
		}
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				_, _ = provider.Issue(t.Context(), p, provider.Request{Project: fmt.Sprint("p", i), Access: provider.Pull})
			})
		}
		synctest.Wait()
		seen += fmt.Sprint(", in flight ", k.Stats().InFlight)
		close(h.release)
		begun := time.Now()
		all.Wait()
		seen += fmt.Sprint(", 200 in ", time.Since(begun).Round(time.Millisecond))
		h.fails.Store(true)
		for start := time.Now(); ; time.Sleep(time.Second) {
			if _, err := provider.Issue(t.Context(), p, provider.Request{Project: "p1", Access: provider.Pull}); err != nil {
				seen += fmt.Sprint(", handed out for ", time.Since(start))
				break
			}
		}
		require.NoError(t, provider.Close(p))
	})
	return seen
}

// entries is how many of n credentials a cache section keeps.
func entries(t *testing.T, c registry.CacheConfig, n int) int {
	t.Helper()
	h := &hourly{release: make(chan struct{})}
	close(h.release)
	p := build(t, h, c)
	for i := range n {
		_, err := provider.Issue(t.Context(), p, provider.Request{Project: fmt.Sprint("p", i), Access: provider.Pull})
		require.NoError(t, err)
	}
	k, ok := provider.As[*cache.Cache](p)
	require.True(t, ok)
	kept := k.Stats().Entries
	require.NoError(t, provider.Close(p))
	return kept
}

// A cache section written in Go with fields left out does what YAML with the keys left out does.
func TestZeroCacheFieldsAreDefaults(t *testing.T) {
	t.Parallel()
	left := "cached true, in flight 64, 200 in 680ms, handed out for 45m0s"
	require.Equal(t, left, reuse(t, registry.DefaultCacheConfig()))
	require.Equal(t, left, reuse(t, registry.CacheConfig{}))
	others := map[string]struct {
		config registry.CacheConfig
		want   string
	}{
		"Enabled":      {registry.CacheConfig{Enabled: new(false)}, "cached false"},
		"MinRemaining": {registry.CacheConfig{MinRemaining: new(time.Duration(0))}, "cached true, in flight 64, 200 in 680ms, handed out for 1h0m0s"},
		"MaxEntries":   {}, // below
		"MaxPerSecond": {registry.CacheConfig{MaxPerSecond: new(0)}, "cached true, in flight 64, 200 in 0s, handed out for 45m0s"},
		"MaxInFlight":  {registry.CacheConfig{MaxInFlight: new(2)}, "cached true, in flight 2, 200 in 800ms, handed out for 45m0s"},
	}
	for f := range reflect.TypeFor[registry.CacheConfig]().Fields() {
		other, known := others[f.Name]
		require.True(t, known, "field %s needs another value here", f.Name)
		if f.Name != "MaxEntries" {
			require.Equal(t, other.want, reuse(t, other.config), f.Name)
		}
		zero := registry.DefaultCacheConfig()
		reflect.ValueOf(&zero).Elem().FieldByIndex(f.Index).SetZero()
		require.NoError(t, zero.Validate())
		require.Equal(t, left, reuse(t, zero), f.Name)
	}
	require.Equal(t, 3, entries(t, registry.CacheConfig{MaxEntries: new(3)}, 10))
	require.Equal(t, 1000, entries(t, registry.CacheConfig{}, 1000))
}
