package reconcile

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

const opRun = "reconcile repositories"

// A Reconciler keeps repositories in step with projects; see the package's documentation. It is safe for concurrent use.
type Reconciler struct {
	manager repository.Manager
	wanted  Wanted
	options Options
	limiter *rate.Limiter
	audits  rolling
	memory  memory
}

// New returns a reconciler of p's repositories. It is [provider.ErrUnsupported] when p has none to manage, and
// [provider.ErrMisconfigured] for options that make no sense. It calls nothing.
func New(p provider.Provider, wanted Wanted, o Options) (*Reconciler, error) {
	manager, err := repository.ManagerOf(p)
	if err != nil {
		return nil, err
	}
	if wanted == nil {
		return nil, &provider.Error{Kind: provider.ErrMisconfigured, Op: opRun, Err: errors.New("no source of wanted projects")}
	}
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	limit := rate.Limit(o.Rate)
	if o.Rate < 0 {
		limit = rate.Inf
	}
	return &Reconciler{
		manager: manager, wanted: wanted, options: o, limiter: rate.NewLimiter(limit, 1), audits: rolling{seed: maphash.MakeSeed()},
	}, nil
}

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

// run is one Run.
type run struct {
	*Reconciler
	retention repository.Retention

	// late is set when the context's deadline comes before an operation's turn.
	late atomic.Bool

	mu     sync.Mutex
	report Report
	errs   []error
	purges []leftOver
	// regrets are what was made or restored for a project that was gone then.
	regrets  []regret
	evidence evidence
	// now is the registry's time, as far as the run has heard it.
	now time.Time
	// begun is when the run began. By its stopwatch, the registry's times of the answers that ages are told by were from slowest
	// to fastest ahead of it.
	begun            time.Time
	slowest, fastest time.Duration
	// ids are the names of the wanted projects by their ids.
	ids func() map[string]string

	progressing sync.Mutex
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

// each runs do for 0 to count-1, some at once, until the run is over.
func (n *run) each(ctx context.Context, phase Phase, count int, do func(i int)) {
	n.progress(phase, 0, count)
	var done atomic.Int64
	n.parallel(ctx, count, func(i int) {
		do(i)
		n.advance(phase, &done, count)
	})
}

func (n *run) parallel(ctx context.Context, count int, do func(i int)) {
	var group errgroup.Group
	group.SetLimit(n.options.Concurrency)
	for i := range count {
		group.Go(func() error {
			if !n.over(ctx) {
				do(i)
			}
			return nil
		})
	}
	_ = group.Wait()
}

// clock tells the run what the registry's time is.
func (n *run) clock(at time.Time) {
	if at.IsZero() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	ahead := at.Sub(n.begun.Round(0)) - time.Since(n.begun)
	if n.now.IsZero() {
		n.slowest, n.fastest = ahead, ahead
	}
	n.slowest, n.fastest = min(n.slowest, ahead), max(n.fastest, ahead)
	if at.After(n.now) {
		n.now = at
	}
}

// clocksDiffer tells whether answers are of times that can't all be the registry's: by one that is ahead, what is young is old, and
// what was orphaned lately was so long ago.
func (n *run) clocksDiffer() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.fastest-n.slowest >= oneClock
}

func (n *run) time() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

// over tells whether the run has to end.
func (n *run) over(ctx context.Context) bool { return ctx.Err() != nil || n.late.Load() }

// turn waits until the next operation may begin.
func (n *run) turn(ctx context.Context) error {
	err := n.limiter.Wait(ctx)
	if err == nil {
		return nil
	}
	if ctx.Err() == nil {
		n.late.Store(true)
		err = context.DeadlineExceeded
	}
	return ended(opRun, err)
}

// progressEvery is how many listed repositories or wanted projects are reported at once.
const progressEvery = 1000

func (n *run) progress(phase Phase, done, total int) {
	if n.options.Progress == nil {
		return
	}
	n.progressing.Lock()
	defer n.progressing.Unlock()
	n.options.Progress(Progress{phase, done, total})
}

// advance is progress by one, in order.
func (n *run) advance(phase Phase, done *atomic.Int64, total int) {
	if n.options.Progress == nil {
		return
	}
	n.progressing.Lock()
	defer n.progressing.Unlock()
	n.options.Progress(Progress{phase, int(done.Add(1)), total})
}
