package provider

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Project names a project to [RepositoryManager]: by its name, which decides the repository, and by the service's
// immutable id for it, which tells apart projects that had one name after the other.
type Project struct {
	// Name is the project's name; see [ValidateProject].
	Name string
	// ID is the service's id of the project, which never changes and is never used again; see [Project.Validate]. Without
	// ids an orphaned repository is given back by RestoreRepository only, as nobody can tell whose it was.
	ID string
}

// RepositoryManager is the capability of providers whose registry needs a repository to be made before an image is pushed:
// it makes repositories, keeps their settings, and lets go of them without losing images by mistake. Find it with
// [Repositories].
//
// Every method reads, just before it changes anything, what proves that a repository belongs to this installation and to
// the project; what isn't proven is refused. Every method may be repeated: after a failure in the middle, running it again
// completes it. All of them are safe for concurrent use, in several processes too.
//
// Beside the errors that every provider has (ErrInvalidRequest for a name or id that can't be one, ErrAccessDenied, ...):
// [ErrNotFound] where there must be a repository and is none, [ErrNotOurs] for one of nobody, of another installation or of
// another project, [ErrOrphaned] for one that was released, [ErrMisconfigured] where the configuration doesn't allow it.
type RepositoryManager interface {
	// EnsureRepository makes p's repository, or mends the settings of the one that there is. An orphaned one is restored
	// if p.ID is the one that it was released with, and is ErrOrphaned otherwise: a new owner of the name doesn't get the
	// former owner's images.
	EnsureRepository(ctx context.Context, p Project, o EnsureOptions) (RepositoryChange, error)

	// AdoptRepository makes an existing repository of nobody's p's. One with a policy that lets strangers in is
	// ErrConflict unless force is set.
	AdoptRepository(ctx context.Context, p Project, force bool) (RepositoryChange, error)

	// ReleaseRepository lets go of p's repository: it is marked as orphaned, from when on no credential works with it, and
	// removed later if the configuration says so. None at all is a success. With an ID in p, another's is ErrNotOurs.
	ReleaseRepository(ctx context.Context, p Project) (RepositoryChange, error)

	// RestoreRepository takes back a ReleaseRepository, whoever the images belonged to: it is for operators who know.
	// With an ID in p, another's is ErrOrphaned.
	RestoreRepository(ctx context.Context, p Project) (RepositoryChange, error)

	// SuspendRepository makes all credentials for the project's repository fail, those handed out before included, or,
	// with suspended false, work again.
	SuspendRepository(ctx context.Context, project string, suspended bool) (RepositoryChange, error)

	// PurgeRepository removes a repository, with its images, that was orphaned olderThan ago or earlier; olderThan is at
	// least what Retention says. One that isn't ours, isn't orphaned, or not for so long, or of which it can't be told
	// when, is left alone: a change without actions. Ages are by the registry's clock. It and ReleaseRepository fail where
	// the registry doesn't say what time it is (ErrBadResponse), or where that and this machine's time are five minutes
	// apart or more (ErrMisconfigured).
	PurgeRepository(ctx context.Context, project string, olderThan time.Duration) (RepositoryChange, error)

	// RepositoryOwner reads whose a project's repository is, in one call upstream. None is ErrNotFound; one that isn't ours
	// is no error.
	RepositoryOwner(ctx context.Context, project string) (RepositoryOwner, error)

	// ListRepositories yields all repositories whose name a project could have, in no order, page by page: it keeps none
	// of them. It yields an error once, at the end.
	ListRepositories(ctx context.Context) iter.Seq2[Repository, error]

	// Retention is what becomes of released repositories. It is ErrMisconfigured when the configuration doesn't allow
	// letting go of any.
	Retention() (Retention, error)
}

// Retention is what becomes of released repositories.
type Retention struct {
	// Remove reports whether they are removed, with their images, or only marked.
	Remove bool
	// After is how long they are kept before that. Zero: ReleaseRepository removes them at once.
	After time.Duration
}

// EnsureOptions narrow what [RepositoryManager.EnsureRepository] does. The zero value is all of it.
type EnsureOptions struct {
	// DryRun changes nothing: the result's actions are what would be done.
	DryRun bool
	// Listed is the repository as ListRepositories yielded it a moment ago: what a listing shows isn't read again.
	Listed *Repository
	// ListedOnly leaves alone the settings that a listing doesn't show. Whose the repository is, is read all the same, unless
	// it turned out meanwhile that what is listed as drift can't be mended: then nothing is done.
	ListedOnly bool
}

// Repository is a repository as a listing shows it. Whose it is, a listing doesn't show: see
// [RepositoryManager.RepositoryOwner].
type Repository struct {
	// Project is the project whose repository it is by its name.
	Project string
	// Name is its name in the registry, without the host.
	Name string
	// CreatedAt is when it was made, by the registry's clock.
	CreatedAt time.Time
	// ReadAt is the registry's own time of the answer that showed it: its age is ReadAt minus CreatedAt, whatever the
	// local clock says. Zero: the registry didn't say, and its age isn't known.
	ReadAt time.Time
	// Drift are the settings, as far as a listing shows them, that aren't as configured and that EnsureRepository would
	// mend.
	Drift []RepositoryAction
}

// RepositoryOwner is whose a repository is.
type RepositoryOwner struct {
	// Ours reports whether it belongs to this installation and to the project that has its name.
	Ours bool
	// Reason says why it isn't ours, in words; empty if it is.
	Reason string
	// ProjectID is the id of the project that it was made for; empty if none was given.
	ProjectID string
	// Orphaned reports whether it was released, and OrphanedAt when; zero if that can't be told.
	Orphaned   bool
	OrphanedAt time.Time
	// ReadAt is the registry's own time of the answer that showed all this: what was orphaned is so for ReadAt minus
	// OrphanedAt, whatever the local clock says. Zero: the registry didn't say, and no age is known.
	ReadAt time.Time
	// Suspended reports whether no credential works with it.
	Suspended bool
}

// A RepositoryAction is one thing that was done to a repository, or would be. It is a stable label.
type RepositoryAction string

// What a [RepositoryManager] does to a repository. A provider may have more settings than these.
const (
	ActionCreate        RepositoryAction = "create"
	ActionAdopt         RepositoryAction = "adopt"
	ActionRestore       RepositoryAction = "restore"
	ActionRelease       RepositoryAction = "release"
	ActionRemove        RepositoryAction = "remove"
	ActionSuspend       RepositoryAction = "suspend"
	ActionUnsuspend     RepositoryAction = "unsuspend"
	ActionTag           RepositoryAction = "set tags"
	ActionTagMutability RepositoryAction = "set tag mutability"
	ActionScanOnPush    RepositoryAction = "set scan on push"
	ActionLifecycle     RepositoryAction = "set lifecycle policy"
)

// RepositoryChange is what a method of [RepositoryManager] found and did. It is meaningful beside an error too: it then
// says how far it came.
type RepositoryChange struct {
	// Project and Name are the repository's; see [Repository].
	Project, Name string
	// Actions are what was done, in order; empty when nothing had to be.
	Actions []RepositoryAction
	// Owner is whose the repository is now. It is the zero value when it is gone.
	Owner RepositoryOwner
	// Notes say, in words, what couldn't be as configured though nothing failed.
	Notes []string
	// Calls is how many calls upstream it took, retries of single calls apart.
	Calls int
}

// Changed reports whether anything was done.
func (c RepositoryChange) Changed() bool { return len(c.Actions) > 0 }

// PushCreator is the capability of providers whose registry makes a repository by itself when an image is pushed to it,
// so that there is nothing to manage.
type PushCreator interface {
	CreatesOnPush() bool
}

// Repositories returns p's capability to manage repositories, or an [ErrUnsupported] error that says why it has none.
func Repositories(p Provider) (RepositoryManager, error) {
	if m, ok := As[RepositoryManager](p); ok {
		return m, nil
	}
	e := &Error{Kind: ErrUnsupported, Op: "manage repositories", Err: fmt.Errorf("type %s can't", TypeOf(p))}
	if c, ok := As[PushCreator](p); ok && c.CreatesOnPush() {
		e.Err = errors.New("there is nothing to manage with type " + TypeOf(p))
		e.Hint = "its repositories appear when an image is pushed to them"
	}
	return nil, e
}
