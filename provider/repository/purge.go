package repository

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Purge lists m's repositories and purges each one that was orphaned olderThan ago or earlier, with its
// images; see [Manager]. It yields what it removed, and each failure; a failure doesn't end it, unless it is the
// listing's own, or that says not when it was read: ages are by the registry's clock ([provider.ErrBadResponse]). It takes one call
// upstream for each repository older than that, since only its tags tell.
func Purge(ctx context.Context, m Manager, olderThan time.Duration) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		if err := purgeable(m, olderThan); err != nil {
			yield(Change{}, err)
			return
		}
		for r, err := range m.ListRepositories(ctx) {
			if err != nil {
				yield(Change{}, err)
				return
			}
			if r.ReadAt.IsZero() {
				yield(Change{}, &provider.Error{Kind: provider.ErrBadResponse, Op: opPurge, Err: errors.New("the listing doesn't say when it was read, so no age is known")})
				return
			}
			if r.ReadAt.Sub(r.CreatedAt) < olderThan {
				continue // nothing is orphaned for longer than it exists
			}
			change, err := m.PurgeRepository(ctx, r.Project, olderThan)
			if (change.Changed() || err != nil) && !yield(change, err) {
				return
			}
			if ctx.Err() != nil {
				return
			}
		}
	}
}

const opPurge = "purge repositories"

// purgeable tells what would fail for every repository.
func purgeable(m Manager, olderThan time.Duration) error {
	switch r, err := m.Retention(); {
	case err != nil:
		return err
	case !r.Remove:
		return &provider.Error{Kind: provider.ErrMisconfigured, Op: opPurge, Err: errors.New("the configuration doesn't allow to remove any")}
	case olderThan < r.After:
		return &provider.Error{Kind: provider.ErrInvalidRequest, Op: opPurge, Err: fmt.Errorf("the age must be at least that for which released repositories are kept, %s", r.After)}
	}
	return nil
}
