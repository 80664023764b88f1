package reconcile

import (
	"slices"

	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// Report is what a run found and did, or in a dry run, what it would do. It is meaningful beside an error too.
type Report struct {
	// DryRun is that of the options.
	DryRun bool
	// Listed and Wanted are how many repositories and projects there were.
	Listed, Wanted int
	// Changes are the changed repositories, in no order. One may be there twice: as mended and as audited, for example.
	Changes []repository.Change
	// Created, Restored, Mended, Released and Purged count the changes by what was done; a restored one that was mended
	// as well counts as restored.
	Created, Restored, Mended, Released, Purged int
	// Audited is how many repositories were read for what a listing doesn't show.
	Audited int
	// LeftAlone are repositories that aren't a wanted project's and that nothing was done to, in no order.
	LeftAlone []LeftAlone
	// Guard is what the guard counted.
	Guard Guard
	// Failures is how many operations failed. Run's error has the first hundred.
	Failures int
	// Calls is how many calls upstream the operations took, the pages of the listing and retries of single calls apart.
	Calls int
}

// LeftAlone is a repository that nothing was done to, and why.
type LeftAlone struct {
	Project, Reason string
}

// Guard is what the guard counted: it holds back all releasing and purging when WantedOrphaned, Orphaned, Unread, Purged and
// ToRelease together are more than Limit.
type Guard struct {
	// Ours is how many repositories of more than 24 hours are ours: the wanted projects', without those that turned out to be
	// another's or may be after what was read, and of those left over the ones that weren't orphaned longer ago than that.
	Ours int
	// Wanted is how many wanted projects have a repository, Read of how many of these the tags were read before anything was
	// released, and Found how many of those were orphaned, or couldn't be read. What was orphaned for a former project of
	// the name counts only if that was within the last 24 hours.
	Wanted, Read, Found int
	// WantedOrphaned is how many of Wanted are orphaned at most: Found, if all of them were read, and else a bound that one
	// random sample in 10⁹ gets wrong.
	WantedOrphaned int
	// Orphaned is how many left-over repositories were orphaned within the last 24 hours, by their tags.
	Orphaned int
	// Purged is how many repositories this Reconciler removed within the last 24 hours, or may have.
	Purged int
	// Unread is how many left-over repositories there are whose tags couldn't be read.
	Unread int
	// ToRelease is how many repositories the run was to release, or would have had to where it releases none, as that would
	// remove them at once.
	ToRelease int
	// Limit is how many are allowed.
	Limit int
	// Held reports whether anything was held back.
	Held bool
}

// did records what an operation did.
func (r *Report) did(c repository.Change) {
	r.Calls += c.Calls
	if !c.Changed() {
		return
	}
	r.Changes = append(r.Changes, c)
	switch {
	case has(c, repository.ActionCreate):
		r.Created++
	case has(c, repository.ActionRestore):
		r.Restored++
	case has(c, repository.ActionRemove):
		r.Purged++
	case has(c, repository.ActionRelease):
		r.Released++
	default:
		r.Mended++
	}
}

func has(c repository.Change, a repository.Action) bool {
	return slices.Contains(c.Actions, a)
}
