package endpoint

import (
	"container/list"
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// opEnsure is the work that is done in turns.
const opEnsure = "ensure repository"

// maxWaiting bounds how many questions wait for a turn, of all subjects together.
const maxWaiting = 4096

// errFull is for whoever would have to wait behind too many. It isn't the upstream that limits the rate, but comes to the same.
const errFull = sentinel("too many wait for their turn already")

// errEnded is for work that neither returned nor panicked.
const errEnded = sentinel("a bug: the goroutine was ended")

// turns do work for projects, a few at once: one piece for each project, for all who ask for it meanwhile. The others wait, fair by
// who asks: each subject's own come in order, and the subjects in turn, so that however much one asks for, another's next
// waits for no more than what has begun. Whoever leaves takes along what nobody else waits for.
type turns struct {
	// atOnce is how many pieces are done at once.
	atOnce int
	// lingers is how long a piece that has begun may go on when nobody waits for it any more.
	lingers time.Duration
	// pace is how many are begun a second.
	pace *rate.Limiter

	mu      sync.Mutex
	works   map[provider.Project]*work
	running int
	// lines are those of the subjects that wait, and order their turns. They hold waiting questions.
	lines   map[string]*line
	order   list.List
	waiting int
	resume  *time.Timer // nil: it isn't the pace that they wait for
}

// newTurns returns turns of which so many are taken a second, and as many as may run at once in a burst.
func newTurns(atOnce int, lingers time.Duration, perSecond rate.Limit) *turns {
	return &turns{atOnce: atOnce, lingers: lingers, pace: rate.NewLimiter(perSecond, atOnce), works: map[provider.Project]*work{}, lines: map[string]*line{}}
}

// work is a piece of work that is done, or waits for its turn. The turns' mu guards it, but for err, which done does.
type work struct {
	project provider.Project
	do      func(context.Context) error
	ctx     context.Context //nolint:containedctx // of the first who asked, but not its end
	limit   time.Duration

	asked   map[string]*question
	waiters int
	cancel  context.CancelFunc // nil: it hasn't begun
	leaving *time.Timer        // nil: somebody waits for it, or nobody ever left

	done chan struct{}
	err  error
}

// question is all that one subject asks of a work.
type question struct {
	work    *work
	subject string
	waiters int
	refused chan struct{} // closed when there were too many
	place   *list.Element // in its subject's line; nil: it doesn't wait
}

// line is what one subject waits for.
type line struct {
	questions list.List
	place     *list.Element // in order
}

// do has the work done for project, by f unless it is under way already, and returns its error. f has limit for that; it sees the
// values of the first asker's context. Once ctx ends, nothing is waited for.
func (t *turns) do(ctx context.Context, subject string, project provider.Project, limit time.Duration, f func(context.Context) error) error {
	w, q := t.join(ctx, subject, project, limit, f)
	defer t.leave(w, q)
	select {
	case <-w.done:
		return w.err
	case <-q.refused:
		return &provider.Error{Kind: provider.ErrThrottled, Op: opEnsure, Project: project.Name, Err: errFull}
	case <-ctx.Done():
		return &provider.Error{Kind: provider.ErrTimeout, Op: opEnsure, Project: project.Name, Err: ctx.Err()}
	}
}

func (t *turns) join(ctx context.Context, subject string, project provider.Project, limit time.Duration, f func(context.Context) error) (*work, *question) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.works[project]
	if w == nil {
		w = &work{project: project, do: f, ctx: context.WithoutCancel(ctx), limit: limit, asked: map[string]*question{}, done: make(chan struct{})}
		t.works[project] = w
	}
	q := w.asked[subject]
	if q == nil {
		q = &question{work: w, subject: subject, refused: make(chan struct{})}
		w.asked[subject] = q
		if w.cancel == nil {
			t.enqueue(q)
		}
	}
	w.waiters++
	q.waiters++
	if w.leaving != nil {
		w.leaving.Stop()
	}
	t.begin()
	if t.waiting > maxWaiting {
		t.refuseOne()
	}
	return w, q
}

func (t *turns) leave(w *work, q *question) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w.waiters--
	if q.waiters--; q.waiters == 0 {
		t.dequeue(q)
		if w.asked[q.subject] == q {
			delete(w.asked, q.subject)
		}
	}
	switch {
	case w.waiters > 0 || t.works[w.project] != w: // or it is over
	case w.cancel == nil || t.lingers == 0:
		t.abandon(w)
	default:
		w.leaving = time.AfterFunc(t.lingers, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			if w.waiters == 0 && t.works[w.project] == w {
				t.abandon(w)
			}
		})
	}
}

// abandon ends what nobody waits for: who asks from now on has it done anew.
func (t *turns) abandon(w *work) {
	delete(t.works, w.project)
	if w.cancel != nil {
		w.cancel()
	}
}

// begin starts the works whose turn it is.
func (t *turns) begin() {
	for t.running < t.atOnce && t.order.Len() > 0 {
		turn := t.pace.Reserve()
		if wait := turn.Delay(); wait > 0 {
			turn.Cancel()
			t.beginAfter(wait)
			return
		}
		l := t.order.Front().Value.(*line)
		t.order.MoveToBack(l.place)
		w := l.questions.Front().Value.(*question).work
		for _, q := range w.asked {
			t.dequeue(q)
		}
		t.running++
		var ctx context.Context
		ctx, w.cancel = context.WithTimeout(w.ctx, w.limit)
		go t.run(ctx, w)
	}
}

func (t *turns) beginAfter(wait time.Duration) {
	if t.resume != nil {
		return
	}
	t.resume = time.AfterFunc(wait, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.resume = nil
		t.begin()
	})
}

// run does the work, and ends it whatever happens.
func (t *turns) run(ctx context.Context, w *work) {
	var err error = errEnded
	defer func() {
		if v := recover(); v != nil {
			err = recovered(v)
		}
		w.cancel()
		t.mu.Lock()
		defer t.mu.Unlock()
		t.running--
		if t.works[w.project] == w {
			delete(t.works, w.project)
		}
		if w.leaving != nil {
			w.leaving.Stop()
		}
		w.err = err
		close(w.done)
		t.begin()
	}()
	err = w.do(ctx)
}

// enqueue puts q at the end of its subject's line.
func (t *turns) enqueue(q *question) {
	l := t.lines[q.subject]
	if l == nil {
		l = &line{}
		l.place = t.order.PushBack(l)
		t.lines[q.subject] = l
	}
	q.place = l.questions.PushBack(q)
	t.waiting++
}

func (t *turns) dequeue(q *question) {
	if q.place == nil {
		return
	}
	l := t.lines[q.subject]
	l.questions.Remove(q.place)
	q.place = nil
	t.waiting--
	if l.questions.Len() == 0 {
		t.order.Remove(l.place)
		delete(t.lines, q.subject)
	}
}

// refuseOne refuses the last of the longest line: it is that subject's noise.
func (t *turns) refuseOne() {
	var longest *line
	for e := t.order.Front(); e != nil; e = e.Next() {
		if l := e.Value.(*line); longest == nil || l.questions.Len() > longest.questions.Len() {
			longest = l
		}
	}
	q := longest.questions.Back().Value.(*question)
	t.dequeue(q)
	delete(q.work.asked, q.subject)
	close(q.refused)
}
