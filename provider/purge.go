package provider

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// PurgeRepositories lists m's repositories and purges each one that was orphaned olderThan ago or earlier, with its
// images; see [RepositoryManager]. It yields what it removed, and each failure; a failure doesn't end it, unless it is the
// listing's own, or that says not when it was read: ages are by the registry's clock ([ErrBadResponse]). It takes one call
// upstream for each repository older than that, since only its tags tell.
func PurgeRepositories(ctx context.Context, m RepositoryManager, olderThan time.Duration) iter.Seq2[RepositoryChange, error] {
	return func(yield func(RepositoryChange, error) bool) {
		if err := purgeable(m, olderThan); err != nil {
			yield(RepositoryChange{}, err)
			return
		}
		for r, err := range m.ListRepositories(ctx) {
			if err != nil {
				yield(RepositoryChange{}, err)
				return
			}
			if r.ReadAt.IsZero() {
				yield(RepositoryChange{}, &Error{Kind: ErrBadResponse, Op: opPurge, Err: errors.New("the listing doesn't say when it was read, so no age is known")})
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
func purgeable(m RepositoryManager, olderThan time.Duration) error {
	switch r, err := m.Retention(); {
	case err != nil:
		return err
	case !r.Remove:
		return &Error{Kind: ErrMisconfigured, Op: opPurge, Err: errors.New("the configuration doesn't allow to remove any")}
	case olderThan < r.After:
		return &Error{Kind: ErrInvalidRequest, Op: opPurge, Err: fmt.Errorf("the age must be at least that for which released repositories are kept, %s", r.After)}
	}
	return nil
}
