package reconcile

import (
	"time"

	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

const (
	// minAge is how old a repository is before it counts as left over: a service may make it before it has the project.
	minAge = time.Hour
	// guardWindow is for how long an orphan counts for the guard, and is kept for that.
	guardWindow = 24 * time.Hour
	// oneClock is how far apart the registry's times may seem to be: it takes a while until a page is looked at.
	oneClock = minAge / 2
)

// Ages are by the registry's own clock. What can't be told is young, and recent.

func noAge(r repository.Repository) bool { return r.CreatedAt.IsZero() || r.ReadAt.IsZero() }

func young(r repository.Repository) bool { return noAge(r) || r.ReadAt.Sub(r.CreatedAt) < minAge }

// settled tells whether a repository was there before what the guard looks at: one list can't make its own majority.
func settled(r repository.Repository) bool {
	return !noAge(r) && r.ReadAt.Sub(r.CreatedAt) >= guardWindow
}

// recent tells whether an orphan is one of those that the guard counts.
func recent(o repository.Owner) bool {
	return o.ReadAt.IsZero() || o.ReadAt.Sub(o.OrphanedAt) < guardWindow
}

// removesAtOnce tells whether releasing removes, so that no tags are left to count.
func removesAtOnce(r repository.Retention) bool { return r.Remove && r.After <= 0 }

func purgeAge(r repository.Retention) time.Duration { return max(r.After, guardWindow) }

func purgeable(r repository.Retention, o repository.Owner) bool {
	return r.Remove && o.Orphaned && !o.OrphanedAt.IsZero() && !o.ReadAt.IsZero() && o.ReadAt.Sub(o.OrphanedAt) >= purgeAge(r)
}
