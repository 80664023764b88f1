// Package reconcile keeps a registry's repositories in step with a service's projects.
//
// It works with every provider that has the capability [repository.Manager]. A service says which projects there
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
// a project with an id which turns out to be gone is released again, by the guard's leave, and that one alone even within its
// first hour.
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
// Releasing only marks. A run removes by [repository.Manager.PurgeRepository] alone, what was released as long ago
// as the configuration says, but at least 24 hours. So where [repository.Retention] says that released repositories are
// removed at once, it releases none: it reports them, with [provider.ErrMisconfigured], for the service to release.
//
// Ages are by the registry's own clock ([repository.Repository].ReadAt). What has none is young, and orphaned just now: nothing
// is released or purged by it; nor is anything where the listing and the tags read show times half an hour or more apart, which
// is [provider.ErrBadResponse].
//
// # The guard
//
// When more than a fifth of our repositories would have been orphaned within 24 hours, by whomever, the run releases and
// purges nothing and fails with [provider.ErrConflict]: somebody's list of projects is wrong, it seems. One repository may
// always go, so that small installations work too; raise [Options].MaxOrphanedPercent for a run that is meant to release
// more. Creating and mending go on. The guard counts
//
//   - the wanted repositories that are orphaned: that the list wants them speaks against it, or against the one that they were
//     released by. However long they have been so, and though the run restores them, as far as it can. Those that are known by
//     their id to be a former project's of the name count as left over;
//   - the left-over repositories that were orphaned within 24 hours, by their tags, and those whose tags couldn't be read;
//   - those that this Reconciler purged within 24 hours, as no tag shows them any more;
//   - those that are to be released now, and those that would be if that didn't remove them at once.
//
// Ours, of which the fifth is taken, are the wanted repositories that exist and the left-over ones with our tags, if they are a
// day old, so that a list of other projects doesn't make its own majority; older orphans apart: where they are kept, they would
// soon outnumber the rest. Wanted ones that turn out to be another's aren't ours, nor are as many of those that weren't read as
// may be another's then: the list of another installation beside ours makes no majority either.
//
// Which of the wanted ones are orphaned, a listing doesn't show. So before anything is released or purged, the audit spends its
// budget on a random sample of them, which isn't a stretch of the list, as lists lack stretches; and where there are fewer than
// the budget allows, on all of them. One that couldn't be read counts as orphaned. Of a sample the guard takes the upper bound
// of their number, which is right but for one run in 10⁹: of a great many, with the default of 500 calls or 250 repositories,
// up to 8 % if none of them is found orphaned. So such an installation may release 12 % in a day by default. For a
// MaxOrphanedPercent of 10, 5 or 2 take an AuditBudget of 1,000, 2,000 or 5,000; with much less, what isn't known is more than
// the limit, and nothing ever goes.
//
// This holds for lists that differ from run to run, in new processes too, one run after the other: never are more than the
// limit orphaned at once. Runs that overlap don't see each other's releases and have the limit each for themselves: at most
// that many times the limit. [Options].Lease keeps them apart.
//
// A list that lacks the same projects for longer than 24 hours is believed, a fifth of them a day: it releases them, and purges
// them when their time has come. What two lists lack a day apart, while those in between wanted it, isn't purged. Where
// everything wanted was read, it was restored in between. Where only a sample was, a run purges if it has nothing to release
// and found no wanted repository orphaned; else only what this Reconciler has known for 24 hours to be orphaned, without any of
// its lists wanting it, and if none of what it knew was restored by somebody else in these. So an installation with more repositories than the audit reads, where each run has something to
// release, purges with a Reconciler that is kept, or with a budget that reads them all. A single project that alternates like
// that, the sample may miss.
//
// # What it costs
//
// One call upstream for each page of the listing; one for each left-over repository, orphans included, and for each one that
// is wanted again; those of creating, mending, releasing (two) and purging (two); and for everything that a listing doesn't show (whose a repository is, its tags,
// its lifecycle policy) up to [Options].AuditBudget calls of a rolling audit, which goes round in a random order, from where the
// last run ended. So 100,000 repositories of ECR that are as they should be cost 100 calls and the budget.
//
// Runs are idempotent, may be stopped anywhere, and may run in several replicas at once, each with the guard's limit for itself
// unless a lease keeps them apart. A single failure doesn't end them.
package reconcile
