package repository_test

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// orphanage lists repositories by age, and purges them unless told to fail.
type orphanage struct {
	repository.Manager
	retention repository.Retention
	ages      map[string]time.Duration
	fail      map[string]error
	listing   error
	clock     time.Duration // how far the registry's is ahead
	undated   bool
	purged    []string
}

func (o *orphanage) Retention() (repository.Retention, error) { return o.retention, nil }

func (o *orphanage) ListRepositories(context.Context) iter.Seq2[repository.Repository, error] {
	return func(yield func(repository.Repository, error) bool) {
		for name, age := range o.ages {
			r := repository.Repository{Project: name, Name: name, CreatedAt: time.Now().Add(o.clock - age), ReadAt: time.Now().Add(o.clock)}
			if o.undated {
				r.ReadAt = time.Time{}
			}
			if !yield(r, nil) {
				return
			}
		}
		if o.listing != nil {
			yield(repository.Repository{}, o.listing)
		}
	}
}

func (o *orphanage) PurgeRepository(_ context.Context, project string, _ time.Duration) (repository.Change, error) {
	o.purged = append(o.purged, project)
	if err := o.fail[project]; err != nil {
		return repository.Change{}, err
	}
	return repository.Change{Project: project, Actions: []repository.Action{repository.ActionRemove}}, nil
}

func TestPurge(t *testing.T) {
	t.Parallel()
	purge := func(o *orphanage, olderThan time.Duration) (removed []string, errs []error) {
		for change, err := range repository.Purge(t.Context(), o, olderThan) {
			if err != nil {
				errs = append(errs, err)
			} else {
				removed = append(removed, change.Project)
			}
		}
		return removed, errs
	}
	synctest.Test(t, func(t *testing.T) {
		o := &orphanage{
			retention: repository.Retention{Remove: true, After: 24 * time.Hour}, listing: provider.ErrThrottled,
			ages: map[string]time.Duration{"old": 100 * time.Hour, "denied": 90 * time.Hour, "new": 20 * time.Hour},
			fail: map[string]error{"denied": provider.ErrAccessDenied},
		}
		removed, errs := purge(o, 24*time.Hour)
		require.Equal(t, []string{"old"}, removed)
		require.ElementsMatch(t, []error{provider.ErrAccessDenied, provider.ErrThrottled}, errs)
		require.ElementsMatch(t, []string{"old", "denied"}, o.purged, "new can't have been orphaned so long")

		for _, o.clock = range []time.Duration{-1000 * time.Hour, 1000 * time.Hour} { // ages are by the registry's
			o.purged = nil
			removed, _ = purge(o, 24*time.Hour)
			require.Equal(t, []string{"old"}, removed)
			require.ElementsMatch(t, []string{"old", "denied"}, o.purged)
		}
		o.undated, o.purged = true, nil
		_, errs = purge(o, 24*time.Hour)
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[0], provider.ErrBadResponse)
		require.Empty(t, o.purged)

		o.purged = nil
		removed, errs = purge(o, time.Hour)
		require.Empty(t, removed)
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[0], provider.ErrInvalidRequest)
		o.retention.Remove = false
		_, errs = purge(o, 24*time.Hour)
		require.ErrorIs(t, errs[0], provider.ErrMisconfigured)
		require.Empty(t, o.purged)
	})
}
