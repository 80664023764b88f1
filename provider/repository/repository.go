package repository

import "time"

// Retention is what becomes of released repositories.
type Retention struct {
	// Remove reports whether they are removed, with their images, or only marked.
	Remove bool
	// After is how long they are kept before that. Zero: ReleaseRepository removes them at once.
	After time.Duration
}

// EnsureOptions narrow what [Manager.EnsureRepository] does. The zero value is all of it.
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
// [Manager.RepositoryOwner].
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
	Drift []Action
}

// Owner is whose a repository is.
type Owner struct {
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

// A Action is one thing that was done to a repository, or would be. It is a stable label.
type Action string

// What a [Manager] does to a repository. A provider may have more settings than these.
const (
	ActionCreate        Action = "create"
	ActionAdopt         Action = "adopt"
	ActionRestore       Action = "restore"
	ActionRelease       Action = "release"
	ActionRemove        Action = "remove"
	ActionSuspend       Action = "suspend"
	ActionUnsuspend     Action = "unsuspend"
	ActionTag           Action = "set tags"
	ActionTagMutability Action = "set tag mutability"
	ActionScanOnPush    Action = "set scan on push"
	ActionLifecycle     Action = "set lifecycle policy"
)

// Change is what a method of [Manager] found and did. It is meaningful beside an error too: it then
// says how far it came.
type Change struct {
	// Project and Name are the repository's; see [Repository].
	Project, Name string
	// Actions are what was done, in order; empty when nothing had to be.
	Actions []Action
	// Owner is whose the repository is now. It is the zero value when it is gone.
	Owner Owner
	// Notes say, in words, what couldn't be as configured though nothing failed.
	Notes []string
	// Calls is how many calls upstream it took, retries of single calls apart.
	Calls int
}

// Changed reports whether anything was done.
func (c Change) Changed() bool { return len(c.Actions) > 0 }
