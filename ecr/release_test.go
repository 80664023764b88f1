package ecr_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

func TestSuspend(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
		l.ensure(t, hello)
		token, err := provider.Issue(t.Context(), l.Provider, push)
		require.NoError(t, err)
		for range 2 {
			change, err := l.SuspendRepository(t.Context(), "hello", true)
			require.NoError(t, err)
			require.True(t, change.Owner.Suspended)
			require.Error(t, l.pushWith(token))
		}
		require.True(t, l.ensure(t, hello).Owner.Suspended, "it stays so")
		for range 2 {
			change, err := l.SuspendRepository(t.Context(), "hello", false)
			require.NoError(t, err)
			require.False(t, change.Owner.Suspended)
			require.NoError(t, l.pushWith(token))
		}
	})
}

func TestNothingThere(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
		for _, operation := range []string{"adopt", "force", "restore", "restore 2", "restore -", "suspend", "lift"} {
			_, err := l.operations()[operation](t.Context())
			require.ErrorIs(t, err, provider.ErrNotFound, operation)
		}
		for _, operation := range []string{"release", "release 2", "purge"} {
			change, err := l.operations()[operation](t.Context())
			require.NoError(t, err, operation)
			require.False(t, change.Changed())
		}
		_, err := l.RepositoryOwner(t.Context(), "hello")
		require.ErrorIs(t, err, provider.ErrNotFound)
		require.Empty(t, l.Repositories())
	})
}

func TestInstallationRequired(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, func(c *ecr.Config) { c.Installation = "" }, func(t *testing.T, l tenancy) {
		l.CreateRepository(ecrtest.Repository{Name: "rise/hello", Tags: map[string]string{"rise:managed": "true", "rise:project": "hello"}, ScanOnPush: true})
		_, err := l.Retention()
		require.ErrorIs(t, err, provider.ErrMisconfigured)
		require.ErrorContains(t, err, "installation isn't configured")
		for _, operation := range []string{"release", "purge"} {
			_, err := l.operations()[operation](t.Context())
			require.ErrorIs(t, err, provider.ErrMisconfigured, operation)
			require.ErrorContains(t, err, "installation", operation)
		}
		require.Empty(t, l.Calls())
		require.False(t, l.ensure(t, provider.Project{Name: "hello"}).Changed(), "making and mending works without")
		l.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.Tags["rise:installation"] = "prod" })
		_, err = l.EnsureRepository(t.Context(), hello, repository.EnsureOptions{})
		require.ErrorIs(t, err, provider.ErrNotOurs, "it is of an installation that we aren't")
		require.ErrorContains(t, err, "configure installation as its tag rise:installation has it")
		_, adopted := l.AdoptRepository(t.Context(), hello, false)
		require.ErrorIs(t, adopted, provider.ErrNotOurs)
		require.NotContains(t, err.Error(), "adopt it", "which is refused")
	})
}

// Without auto_remove, nothing ever tries to delete.
func TestNeverDeletes(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, func(c *ecr.Config) { c.AutoRemove, c.RemoveAfter = false, new(time.Duration(0)) }, func(t *testing.T, l tenancy) {
		l.ensure(t, hello)
		_, err := l.ReleaseRepository(t.Context(), hello)
		require.NoError(t, err)
		time.Sleep(1000 * time.Hour)
		_, err = l.ReleaseRepository(t.Context(), hello)
		require.NoError(t, err)
		_, err = l.PurgeRepository(t.Context(), "hello", time.Hour)
		require.ErrorIs(t, err, provider.ErrMisconfigured)
		require.NotContains(t, l.names(), "ecr:DeleteRepository")
	})
	inTenancy(t, ecrtest.Config{}, func(c *ecr.Config) { c.RemoveAfter = new(time.Duration(0)) }, func(t *testing.T, l tenancy) {
		l.ensure(t, hello)
		require.NoError(t, l.push("hello"))
		change, err := l.ReleaseRepository(t.Context(), hello)
		require.NoError(t, err)
		require.Equal(t, []repository.Action{repository.ActionRelease, repository.ActionRemove}, change.Actions)
		require.Equal(t, "none", l.state("rise/hello"))
	})
	for _, unset := range []func(*ecr.Config){nil, func(c *ecr.Config) { c.RemoveAfter = nil }} { // a Config that somebody wrote in Go
		inTenancy(t, ecrtest.Config{}, unset, func(t *testing.T, l tenancy) {
			_, err := l.PurgeRepository(t.Context(), "hello", time.Hour)
			require.ErrorIs(t, err, provider.ErrInvalidRequest)
			require.ErrorContains(t, err, "the age must be at least remove_after, 24h0m0s")
		})
	}
}
