package reconcile

import (
	"context"
	"errors"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Options say how a [Reconciler] works. The zero Options are the defaults.
type Options struct {
	// DryRun changes nothing: the report has what would be done. It reads as much as a run that does it.
	DryRun bool
	// AuditBudget is how many calls upstream a run may take to look at what a listing doesn't show, what it mends then
	// apart. Zero means 500; less means no audit. A repository of ECR takes two. What is audited is the guard's sample too; see
	// the package's documentation for how many it has to be. Without an audit, up to 500 repositories' tags are read in runs
	// that have something to release or purge, and in these alone.
	AuditBudget int
	// MaxOrphanedPercent is how many of our repositories may be orphaned within 24 hours; see the package's documentation.
	// Zero means 20; 100 turns the guard off.
	MaxOrphanedPercent int
	// Lease, if set, keeps runs apart, of which the guard can't see one another's releases while they overlap. Each run calls
	// it first, dry runs too. It waits while somebody else has the lease, or fails, which ends the run before it does
	// anything. The run has the context that it returns, which is ctx or made of it, and has to end when the lease is lost:
	// nothing is begun after that. At the end the run calls release, once.
	Lease func(ctx context.Context) (held context.Context, release func(), err error)
	// Concurrency is how many operations are under way at once. Zero and less mean 8.
	Concurrency int
	// Rate is how many operations are begun in a second, the pages of the listing apart; one takes one to five calls
	// upstream. Zero means 20; less means no limit.
	Rate int
	// Progress, if set, is told how far a run is: from several goroutines, but never twice at once. The run waits for it.
	Progress func(Progress)
}

const opRun = "reconcile repositories"

const (
	defaultAuditBudget        = 500
	defaultMaxOrphanedPercent = 20
	defaultConcurrency        = 8
	defaultRate               = 20
)

func (o Options) withDefaults() (Options, error) {
	if o.MaxOrphanedPercent < 0 || o.MaxOrphanedPercent > 100 {
		return o, &provider.Error{Kind: provider.ErrMisconfigured, Op: opRun, Err: errors.New("MaxOrphanedPercent must be 1 to 100, or 0 for 20")}
	}
	if o.MaxOrphanedPercent == 0 {
		o.MaxOrphanedPercent = defaultMaxOrphanedPercent
	}
	if o.AuditBudget == 0 {
		o.AuditBudget = defaultAuditBudget
	}
	if o.Concurrency <= 0 {
		o.Concurrency = defaultConcurrency
	}
	if o.Rate == 0 {
		o.Rate = defaultRate
	}
	return o, nil
}

// Progress is how far a run is.
type Progress struct {
	Phase Phase
	// Done of Total are done. Total is 0 where it isn't known: in PhaseList and PhaseWanted.
	Done, Total int
}

// A Phase is a part of a run. It is a stable label.
type Phase string

// The phases of a run, in their order.
const (
	// PhaseList lists the repositories.
	PhaseList Phase = "list"
	// PhaseWanted asks for the wanted projects.
	PhaseWanted Phase = "wanted"
	// PhaseCreate makes repositories that are missing.
	PhaseCreate Phase = "create"
	// PhaseMend mends settings that a listing shows.
	PhaseMend Phase = "mend"
	// PhaseOwners reads whose the left-over repositories are.
	PhaseOwners Phase = "owners"
	// PhaseAudit mends what a listing doesn't show. Total is how many repositories could be looked at.
	PhaseAudit Phase = "audit"
	// PhaseRelease releases those that are ours.
	PhaseRelease Phase = "release"
	// PhasePurge removes those that were released long enough ago.
	PhasePurge Phase = "purge"
)
