package cache_test

import (
	"context"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// requests are all requests for the project, and for all projects.
func requests(project string) []provider.Request {
	all := []provider.Request{
		{AllProjects: true, Access: provider.Pull, Consumer: provider.Client},
		{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster},
	}
	for _, access := range []provider.Access{provider.Pull, provider.Push} {
		for _, consumer := range []provider.Consumer{provider.Client, provider.Cluster} {
			all = append(all, provider.Request{Project: project, Access: access, Consumer: consumer})
		}
	}
	for _, caller := range []string{"ci", "ci2"} {
		all = append(all, provider.Request{Project: project, Access: provider.Push, Caller: caller})
	}
	for _, id := range []string{"p-1", "p-2"} {
		all = append(all, provider.Request{Project: project, ProjectID: id, Access: provider.Push})
	}
	return all
}

func TestKeyIsTheWholeRequest(t *testing.T) {
	t.Parallel()
	u := &upstream{}
	c := newCache(t, u, cache.Options{})
	for round := range 3 {
		for _, r := range append(requests("hello"), requests("hello-b")[2:]...) {
			got, err := provider.Issue(t.Context(), c, r) // checks that it's r's
			require.NoError(t, err)
			require.NoError(t, got.Check(r, time.Now()))
			require.Equal(t, 1, u.count(r))
		}
		require.EqualValues(t, 18*round, c.Stats().Hits)
	}
	require.EqualValues(t, 18, c.Stats().Misses)
	require.Equal(t, 18, c.Stats().Entries)
	require.Equal(t, 6, reflect.TypeFor[provider.Request]().NumField(), "does Forget know the new field?")
}

func TestRefreshAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{latency: time.Second}
		c, r := newCache(t, u, cache.Options{}), push("hello")
		require.Equal(t, "hello/1", ask(t, c, r))

		time.Sleep(30*time.Minute - 1)
		require.Equal(t, "hello/1", ask(t, c, r))
		synctest.Wait()
		require.Equal(t, 1, u.count(r), "before half of its life is gone, nothing is refreshed")
		time.Sleep(time.Nanosecond)

		start := time.Now()
		for range 100 {
			require.Equal(t, "hello/1", ask(t, c, r))
			synctest.Wait()
		}
		require.Zero(t, time.Since(start), "nobody waits for a refresh")
		require.Equal(t, 2, u.count(r), "one refresh at a time")
		require.Equal(t, 1, c.Stats().InFlight)

		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, "hello/2", ask(t, c, r))
		require.Equal(t, cache.Stats{
			Hits: 102, Misses: 1, Refreshes: 1, Entries: 1, EarliestExpiry: time.Now().Add(time.Hour),
		}, c.Stats())
	})
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		life, minRemaining     time.Duration // life < 0: no expiry
		refreshedAt, droppedAt time.Duration // after it was issued
	}{
		"defaults":          {time.Hour, 0, 30 * time.Minute, 45 * time.Minute},
		"twelve hours":      {12 * time.Hour, 0, 6 * time.Hour, 12*time.Hour - 15*time.Minute},
		"a shorter minimum": {time.Hour, time.Minute, 30 * time.Minute, 59 * time.Minute},
		"a quarter at most": {time.Hour, time.Hour, 30 * time.Minute, 45 * time.Minute},
		"short-lived":       {8 * time.Minute, 0, 4 * time.Minute, 6 * time.Minute},
		"no minimum":        {time.Hour, -1, 30 * time.Minute, time.Hour},
		"very short-lived":  {8, 0, 4, 6},
		"without expiry":    {-1, 0, 30 * time.Minute, 45 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fail := false
				u := &upstream{life: test.life, hook: func(context.Context, provider.Request, int) error {
					if fail {
						return provider.ErrUnavailable
					}
					return nil
				}}
				c, r := newCache(t, u, cache.Options{MinRemaining: test.minRemaining}), push("hello")
				ask(t, c, r)
				time.Sleep(test.refreshedAt - 1)
				ask(t, c, r)
				synctest.Wait()
				require.Equal(t, 1, u.count(r))
				fail = true
				time.Sleep(time.Nanosecond)
				ask(t, c, r)
				synctest.Wait()
				require.Equal(t, 2, u.count(r))
				time.Sleep(test.droppedAt - test.refreshedAt - 1)
				require.Equal(t, "hello/1", ask(t, c, r), "still in use")
				time.Sleep(time.Nanosecond)
				_, err := c.Credentials(t.Context(), r)
				require.ErrorIs(t, err, provider.ErrUnavailable, "not with less than the minimum")
			})
		})
	}
}

func TestVeryLongLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{life: 1<<63 - 1}
		c, r := newCache(t, u, cache.Options{}), push("hello")
		ask(t, c, r)
		time.Sleep(24 * time.Hour)
		require.Equal(t, "hello/1", ask(t, c, r))
		synctest.Wait()
		require.Equal(t, 1, u.count(r))
	})
}

func TestClientLoginIsReused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{change: func(_ provider.Request, _ int, c provider.Credentials) provider.Credentials {
			return provider.Credentials{Target: c.Target, Access: c.Access, Method: provider.ClientLogin}
		}}
		c := newCache(t, u, cache.Options{})
		for range 10 {
			got, err := c.Credentials(t.Context(), push("hello"))
			require.NoError(t, err)
			require.Equal(t, provider.ClientLogin, got.Method)
		}
		require.Equal(t, 1, u.count(push("hello")))
		require.Zero(t, c.Stats().EarliestExpiry)
	})
}

func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	u := &upstream{narrow: "reserved"}
	c := newCache(t, u, cache.Options{})
	for _, r := range []provider.Request{
		{}, {Project: "hello"}, {Access: provider.Push}, {Project: "hello", AllProjects: true, Access: provider.Pull},
		{AllProjects: true, Access: provider.Push}, {Project: "hello", Access: 9},
		{Project: "hello", Access: provider.Pull, Consumer: 9},
		push("../b"), push("a*"), push("reserved-name"),
	} {
		for range 3 {
			_, err := c.Credentials(t.Context(), r)
			require.ErrorIs(t, err, provider.ErrInvalidRequest)
		}
	}
	require.Equal(t, cache.Stats{}, c.Stats(), "never a key")
	total, _ := u.totals()
	require.Zero(t, total)
}

func TestAnswersAreChecked(t *testing.T) {
	t.Parallel()
	other, err := name.NewRepository("client.example.com/rise/x-hello")
	require.NoError(t, err)
	for name, change := range map[string]func(*provider.Credentials){
		"another project":  func(c *provider.Credentials) { c.Target = other },
		"another registry": func(c *provider.Credentials) { c.Target = other.Registry },
		"another access":   func(c *provider.Credentials) { c.Access = provider.Pull },
		"expired":          func(c *provider.Credentials) { c.ExpiresAt = time.Now() },
		"no secret":        func(c *provider.Credentials) { c.Password = provider.Secret{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				u := &upstream{change: func(_ provider.Request, n int, c provider.Credentials) provider.Credentials {
					if n == 1 {
						change(&c)
					}
					return c
				}}
				c, r := newCache(t, u, cache.Options{}), push("hello")
				got, err := c.Credentials(t.Context(), r)
				require.ErrorIs(t, err, provider.ErrBadResponse)
				require.Equal(t, provider.Credentials{}, got)
				require.Zero(t, c.Stats().Entries)
				time.Sleep(time.Second)
				require.Equal(t, "hello/2", ask(t, c, r))
			})
		})
	}
}

// decorated is a decorator of a service's own that has the cache's methods and changes what it answers.
type decorated struct {
	*cache.Cache
	answers provider.Request
}

func (d decorated) Credentials(ctx context.Context, _ provider.Request) (provider.Credentials, error) {
	return d.Cache.Credentials(ctx, d.answers)
}

// What is kept is checked once more when it comes from anything but the cache itself.
func TestDecoratorsOfTheCacheAreChecked(t *testing.T) {
	t.Parallel()
	u := &upstream{}
	c := newCache(t, u, cache.Options{})
	for name, answers := range map[string]provider.Request{
		"another project":  push("other"),
		"another access":   {Project: "hello", Access: provider.Pull},
		"another consumer": {Project: "hello", Access: provider.Push, Consumer: provider.Cluster},
	} {
		ask(t, c, push("hello"))
		ask(t, c, answers)
		for _, p := range []provider.Provider{decorated{c, answers}, &decorated{c, answers}, wrapper{decorated{c, answers}}} {
			_, err := provider.Issue(t.Context(), p, push("hello"))
			require.ErrorIs(t, err, provider.ErrBadResponse, name)
		}
	}
}

// A long random history, against a map.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	u := &upstream{}
	c := newCache(t, u, cache.Options{})
	rnd := rand.New(rand.NewPCG(1, 2))
	kept, issued := map[provider.Request]bool{}, map[provider.Request]int{}
	for range 30_000 {
		r := numbered(rnd.IntN(3000))
		switch rnd.IntN(3) {
		case 0:
			c.Forget(r.Project)
			delete(kept, r)
		default:
			ask(t, c, r)
			if !kept[r] {
				kept[r] = true
				issued[r]++
			}
		}
	}
	for r, n := range issued {
		require.Equal(t, n, u.count(r))
	}
	require.Equal(t, len(kept), c.Stats().Entries)
}

func TestDecorator(t *testing.T) {
	t.Parallel()
	u := &upstream{}
	inner := newCache(t, u, cache.Options{})
	outer := newCache(t, inner, cache.Options{})
	require.Same(t, u, outer.Unwrap(), "two layers are one")
	found, ok := provider.As[*upstream](outer)
	require.True(t, ok)
	require.Same(t, u, found)

	ask(t, outer, push("hello"))
	require.Zero(t, inner.Stats())
	want, err := u.Repository("hello", provider.Cluster)
	require.NoError(t, err)
	got, err := outer.Repository("hello", provider.Cluster)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Panics(t, func() { cache.New(nil, cache.Options{}) })
}
