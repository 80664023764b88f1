package reconcile

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// Run brings repositories and projects in step once. Its error joins all failures, of which the first hundred are kept; each
// is a [provider.Error] that names the project, if it is about one. What ended the run or held it back comes first:
//
//   - [provider.ErrMisconfigured], before any call: the configuration doesn't allow letting go of repositories, dry run or not
//   - any kind: the listing failed, or the service's list; nothing was changed
//   - [provider.ErrInvalidRequest]: a wanted project's name isn't valid, or has two ids; nothing was changed
//   - [provider.ErrConflict]: no projects are wanted, and nothing was changed; or the guard held back releasing and purging
//   - [provider.ErrMisconfigured], at the end: released repositories are removed at once, so none was released
//   - [provider.ErrBadResponse]: the registry's times contradict one another, and nothing was released or purged
//   - [provider.ErrTimeout]: ctx ended, or the lease was lost
//   - any kind: [Options].Lease failed; nothing was done
func (r *Reconciler) Run(ctx context.Context) (Report, error) {
	n := &run{Reconciler: r, report: Report{DryRun: r.options.DryRun}, begun: time.Now()}
	if r.options.Lease != nil {
		held, release, err := r.options.Lease(ctx)
		if err != nil {
			return n.report, &provider.Error{Kind: kindOf(err), Op: "take the lease", Err: err}
		}
		defer release()
		ctx = held
	}
	err := n.run(ctx)
	if n.over(ctx) {
		cause := cmp.Or(context.Cause(ctx), context.DeadlineExceeded)
		if provider.KindOf(err) != provider.ErrTimeout || !errors.Is(err, cause) {
			err = errors.Join(ended(opRun, cause), err)
		}
	}
	return n.report, n.joined(err)
}

func (n *run) run(ctx context.Context) (err error) {
	if n.retention, err = n.manager.Retention(); err != nil {
		return err
	}
	listed, err := n.list(ctx)
	if err != nil {
		return err
	}
	wanted, err := n.ask(ctx)
	if err != nil {
		return err
	}
	n.report.Listed, n.report.Wanted = len(listed), len(wanted)
	missing, there, rest := compare(listed, wanted)
	n.ids = sync.OnceValue(func() map[string]string { return byID(wanted) })

	n.each(ctx, PhaseCreate, len(missing), func(i int) { _, _ = n.keep(ctx, missing[i], repository.EnsureOptions{}) })
	again := n.memory.wantedAgain(listed, there, n.time()) // and so to be restored
	mend := toMend(there, again)
	n.each(ctx, PhaseMend, len(mend), func(i int) {
		change, err := n.keep(ctx, mend[i].project, repository.EnsureOptions{Listed: mend[i].repository, ListedOnly: i >= len(again)})
		n.saw(mend[i].project, change, err, false)
	})
	releases := n.owners(ctx, rest)
	n.audit(ctx, there, len(releases)+len(n.regrets)+len(n.purges) > 0)
	if n.over(ctx) {
		return nil // what isn't read to the end isn't counted
	}
	releases, refused := n.guard(releases, there)
	n.each(ctx, PhaseRelease, len(releases)+len(n.regrets), func(i int) {
		if i < len(releases) {
			n.letGo(ctx, releases[i])
		} else {
			n.takeBack(ctx, n.regrets[i-len(releases)])
		}
	})
	n.purge(ctx)
	if n.report.Guard.Held {
		return errors.Join(n.report.Guard.err(n.options.MaxOrphanedPercent), refused)
	}
	return refused
}
