package cache_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// upstream is a provider that takes latency for each issue and records them.
type upstream struct {
	latency time.Duration
	life    time.Duration                                                          // zero: an hour; negative: no expiry
	hook    func(ctx context.Context, r provider.Request, n int) error             // before the n-th issue for r returns
	change  func(provider.Request, int, provider.Credentials) provider.Credentials // of what it returns
	named   func(project string)                                                   // called by Repository
	narrow  string                                                                 // projects that it refuses begin so

	mu        sync.Mutex
	issued    map[provider.Request]int
	total     int
	now, peak int // in flight
}

func (u *upstream) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	if err := provider.ValidateProject(project); err != nil {
		return name.Repository{}, err
	}
	if u.named != nil {
		u.named(project)
	}
	if u.narrow != "" && strings.HasPrefix(project, u.narrow) {
		return name.Repository{}, provider.ErrInvalidRequest
	}
	return name.NewRepository(consumer.String() + ".example.com/rise/" + project)
}

func (u *upstream) enter(r provider.Request) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.issued == nil {
		u.issued = map[provider.Request]int{}
	}
	u.issued[r]++
	u.total++
	u.now++
	u.peak = max(u.peak, u.now)
	return u.issued[r]
}

func (u *upstream) leave() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.now--
}

func (u *upstream) count(r provider.Request) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.issued[r]
}

func (u *upstream) totals() (total, peak int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.total, u.peak
}

func (u *upstream) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	n := u.enter(r)
	defer u.leave()
	if u.latency > 0 {
		timer := time.NewTimer(u.latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return provider.Credentials{}, &provider.Error{Kind: provider.ErrTimeout, Op: "issue", Err: ctx.Err()}
		}
	}
	if u.hook != nil {
		if err := u.hook(ctx, r, n); err != nil {
			return provider.Credentials{}, err
		}
	}
	repository, err := u.Repository("all", r.Consumer)
	if !r.AllProjects {
		repository, err = u.Repository(r.Project, r.Consumer)
	}
	if err != nil {
		return provider.Credentials{}, err
	}
	c := provider.Credentials{
		Target: repository, Access: r.Access, Method: provider.LoginCredentials, Username: "AWS",
		Password: provider.NewSecret(fmt.Sprintf("%s/%d", r.Project, n)),
		Details: []slog.Attr{
			slog.String("session", "rise-push-"+r.Project), slog.String("sts", "1"), slog.String("ecr", "2"),
		},
	}
	if r.AllProjects {
		c.Target = repository.Registry
	}
	switch {
	case u.life == 0:
		c.ExpiresAt = time.Now().Add(time.Hour)
	case u.life > 0:
		c.ExpiresAt = time.Now().Add(u.life)
	}
	if u.change != nil {
		c = u.change(r, n, c)
	}
	return c, nil
}

func push(project string) provider.Request {
	return provider.Request{Project: project, Access: provider.Push}
}

func numbered(i int) provider.Request { return push(fmt.Sprintf("project-%d", i)) }

func newCache(tb testing.TB, p provider.Provider, o cache.Options) *cache.Cache {
	tb.Helper()
	c := cache.New(p, o)
	tb.Cleanup(func() { require.NoError(tb, c.Close()) })
	return c
}

// ask returns the password, by which tests tell issues apart.
func ask(tb testing.TB, c *cache.Cache, r provider.Request) string {
	tb.Helper()
	got, err := c.Credentials(tb.Context(), r)
	require.NoError(tb, err)
	return got.Password.Reveal()
}
