// Package reconcile keeps a registry's repositories in step with a service's projects.
//
// It works with every provider that has the capability [provider.RepositoryManager]. A service says which projects there
// are, and runs it from time to time:
//
//	r, err := reconcile.New(p, wanted, reconcile.Options{})
//	...
//	report, err := r.Run(ctx)
//
// A run makes the repositories that are missing, mends the settings that drifted, and releases what is left over, that is,
// repositories of projects that aren't wanted. What was released long enough ago it purges, if the configuration says so.
// With [Options].DryRun it changes nothing, and the report is the plan.
//
// # What it never does
//
// It lists the repositories first and asks for the wanted projects then: a project that is made in between is wanted, and
// not taken for left over. What is left over is released only if its tags, read for that, say that it belongs to this
// installation, if it is older than an hour, if no wanted project has the id in its tags (one that was renamed needs its
// former images), and if the service, asked once more right before, still doesn't want it. Asked again after, it has
// the last word: what it wants back is restored. The same the other way round: a repository that was made or restored for
// a project with an id which turns out to be gone is released again, and that one alone even within its first hour.
//
// A run that can't list everything changes nothing: an error in the listing or from the service ends it first, and so do an
// invalid name, two ids for one name, and no wanted projects at all.
//
// A Reconciler remembers which repositories it released or saw orphaned, and looks at those that are wanted again first of
// all. So keep one for all runs: of an orphan that was wanted before the process began, only the audit learns.
//
// A wanted project whose repository turns out to be another's, an orphan of the name's former project included, is an error.
// Only the audit sees that, and the look at what is remembered, as only tags show it. The former project's orphan is
// purged in its time, so that the next run can make the new one's.
//
// Releasing only marks. A run removes by [provider.RepositoryManager.PurgeRepository] alone, what was released as long ago
// as the configuration says, but at least 24 hours. So where [provider.Retention] says that released repositories are
// removed at once, it releases none: it reports them, with [provider.ErrMisconfigured], for the service to release.
//
// # The guard
//
// When more than a fifth of our repositories would have been orphaned within 24 hours, by whomever, the run releases and
// purges nothing and fails with [provider.ErrConflict]: somebody's list of projects is wrong, it seems. One repository may
// always go, so that small installations work too; raise [Options].MaxOrphanedPercent for a run that is meant to release
// more. What was orphaned is counted from the repositories' tags, which is why nothing is purged sooner than after 24 hours:
// running it in a loop, in many replicas or anew after each crash, doesn't get around the guard. A left-over repository
// whose tags couldn't be read counts as orphaned. Ours are the wanted ones that exist and the left-over ones with our tags,
// older orphans apart: where they are kept, they would soon outnumber the rest. Creating and mending go on.
//
// Replicas that run at the very same moment don't see each other's releases. They have the same left-over repositories,
// as they have the same service to ask; the guard is exact for each of them.
//
// # What it costs
//
// One call upstream for each page of the listing; one for each left-over repository, orphans included, and for each one that
// is wanted again; those of creating, mending, releasing (two) and purging (two); and for everything that a listing doesn't show (whose a repository is, its tags,
// its lifecycle policy) up to [Options].AuditBudget calls of a rolling audit, which begins at a random place and goes on
// where the last run ended. So 100,000 repositories of ECR that are as they should be cost 100 calls and the budget.
//
// Runs are idempotent, may be stopped anywhere, and may run in several replicas at once. A single failure doesn't end them.
package reconcile
