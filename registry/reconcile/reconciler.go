package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

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

// leftOver is a repository of ours without a project.
type leftOver struct{ project, id, repository string }

// regret is a repository that the run made or restored for a project that is gone by now.
type regret struct {
	project provider.Project
	name    string
	// missing tells whether there was none: what was there counts already, as a wanted one that was orphaned.
	missing bool
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

// did records what an operation did.
func (n *run) did(c repository.Change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.report.did(c)
}

func (n *run) leave(project, reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.report.LeftAlone = append(n.report.LeftAlone, LeftAlone{project, reason})
}

// saw records what was found at a wanted project's repository, before anything was done about it.
func (n *run) saw(p provider.Project, c repository.Change, err error, sampled bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.evidence.saw(p, c, err, sampled)
}

func (n *run) count(number *int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*number++
}

func (n *run) add(list *[]leftOver, l leftOver) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*list = append(*list, l)
}

// maxErrors is how many errors are kept of a run: there may be as many as projects.
const maxErrors = 100

// fail records that something went wrong with one project. What fails because the run was stopped is no failure.
func (n *run) fail(ctx context.Context, op, project string, err error) {
	if n.over(ctx) && provider.KindOf(err) == provider.ErrTimeout {
		return
	}
	var e *provider.Error
	if !errors.As(err, &e) || e.Project != project {
		err = &provider.Error{Kind: kindOf(err), Op: op, Project: project, Err: err}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.report.Failures++; len(n.errs) < maxErrors {
		n.errs = append(n.errs, err)
	}
}

// joined is the run's error: what ended it or held it back, and what it went on past.
func (n *run) joined(first ...error) error {
	errs := slices.Concat(first, n.errs)
	if more := n.report.Failures - len(n.errs); more > 0 {
		errs = append(errs, fmt.Errorf("and %d more failures", more))
	}
	return errors.Join(errs...)
}

// kindOf is err's kind; what has none comes from the service, or from a provider of a third party.
func kindOf(err error) provider.Kind {
	return cmp.Or(provider.KindOf(err), provider.ErrUnavailable)
}

func ended(op string, err error) error {
	return &provider.Error{Kind: provider.ErrTimeout, Op: op, Err: err}
}
