package endpoint

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

const (
	// ensuredFor is how long a repository counts as made: somebody may remove it behind our back.
	ensuredFor = time.Hour
	// failedFor is how long a failure is answered without another try: whoever is refused asks again, and again.
	failedFor = 3 * time.Second
	// ensuringAtOnce is how many repositories are made in parallel, and how many are looked at. Others queue.
	ensuringAtOnce = 16
	// makingsPerSecond is how many are begun to be made a second: each is some calls upstream, which take a processor's time and an account's quota.
	makingsPerSecond = 50
	// lingering is how long a repository goes on being made when whoever wanted it has left: half of its settings may be made.
	lingering = 2 * time.Second
	// maxEnsured and maxFailed bound what is remembered.
	maxEnsured, maxFailed = 100_000, 4000
)

type repositories struct {
	manager repository.Manager

	// What is there is only looked at, and so never waits for what has to be made.
	looks, makings *turns

	mu sync.Mutex
	// ensured are the projects whose repository is there. By project, not by name: another id is another's.
	ensured memory[struct{}]
	// failed is why a project's repository isn't there.
	failed memory[error]
	// unfinished are the projects whose repository was begun to be made: being there, it may lack settings.
	unfinished memory[struct{}]
}

func newRepositories(m repository.Manager) *repositories {
	return &repositories{
		manager: m, looks: newTurns(ensuringAtOnce, 0, rate.Inf), makings: newTurns(ensuringAtOnce, lingering, makingsPerSecond),
		ensured: memory[struct{}]{lasts: ensuredFor, half: maxEnsured / 2}, failed: memory[error]{lasts: failedFor, half: maxFailed / 2},
		unfinished: memory[struct{}]{lasts: ensuredFor, half: maxEnsured / 2},
	}
}

// What a look at a repository may find out. These are no answers.
const (
	errNone    = sentinel("there is none")
	errUnready = sentinel("it has to be restored, given the project's id, or finished")
)

// ensure returns nil when p's repository is there. It waits for that in the turns of subject, the caller. mayMake says whether one
// that isn't is made.
func (r *repositories) ensure(ctx context.Context, subject string, p provider.Project, mayMake bool, limit time.Duration) error {
	known, err := r.known(p)
	if !known {
		p.Name, p.ID = strings.Clone(p.Name), strings.Clone(p.ID) // they may be parts of a whole request
		err = r.looks.do(ctx, subject, p, limit, func(ctx context.Context) error { return r.work(ctx, p, r.look) })
	}
	switch {
	case errors.Is(err, errNone) && !mayMake:
		return &provider.Error{Kind: provider.ErrConflict, Op: opEnsure, Project: p.Name, Err: errors.New("it has no repository yet, and a pull makes none"),
			Hint: "its first push makes one, and so does whatever else calls EnsureRepository"}
	case errors.Is(err, errNone), errors.Is(err, errUnready):
		return r.makings.do(ctx, subject, p, limit, func(ctx context.Context) error { return r.work(ctx, p, r.prepare) })
	}
	return err
}

// work does f unless there is an answer by now, and remembers what comes of it.
func (r *repositories) work(ctx context.Context, p provider.Project, f func(context.Context, provider.Project) error) (err error) {
	if known, err := r.known(p); known && !errors.Is(err, errNone) && !errors.Is(err, errUnready) {
		return err
	}
	err = errEnded
	defer func() {
		if v := recover(); v != nil {
			err = recovered(v)
		}
		if !errors.Is(ctx.Err(), context.Canceled) { // then nobody waits for it any more, and it failed for that alone
			r.remember(p, err)
		}
	}()
	err = f(ctx, p)
	return err
}

// look reads whose p's repository is.
func (r *repositories) look(ctx context.Context, p provider.Project) error {
	owner, err := r.manager.RepositoryOwner(ctx, p.Name)
	no := func(kind provider.Kind, problem, hint string) error {
		return &provider.Error{Kind: kind, Op: opEnsure, Project: p.Name, Hint: hint, Err: errors.New(problem)}
	}
	switch {
	case errors.Is(err, provider.ErrNotFound):
		return errNone
	case err != nil:
		return err
	case !owner.Ours:
		return no(provider.ErrNotOurs, "the repository isn't ours: "+owner.Reason, "if it should be this project's, adopt it")
	case owner.Orphaned && (p.ID == "" || owner.ProjectID != p.ID):
		return no(provider.ErrOrphaned, "the repository was released, by a project that isn't known to be this one",
			"it keeps a former project's images, which a new owner of the name must not see: restore it if the project is the same, or let it be purged")
	case p.ID != "" && owner.ProjectID != "" && owner.ProjectID != p.ID:
		return no(provider.ErrNotOurs, "the repository belongs to a project of the same name with another id", "release it for the project that it was made for")
	case owner.Orphaned, p.ID != "" && owner.ProjectID == "", r.begun(p):
		return errUnready
	}
	return suspended(p, owner)
}

func (r *repositories) begun(p provider.Project) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.unfinished.get(p, time.Now())
	return ok
}

// prepare makes p's repository, or what is lacking for it to be p's.
func (r *repositories) prepare(ctx context.Context, p provider.Project) error {
	r.mu.Lock()
	r.unfinished.put(p, struct{}{}, time.Now())
	r.mu.Unlock()
	change, err := r.manager.EnsureRepository(ctx, p, repository.EnsureOptions{})
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.unfinished.forget(p)
	r.mu.Unlock()
	return suspended(p, change.Owner)
}

func suspended(p provider.Project, owner repository.Owner) error {
	if !owner.Suspended {
		return nil
	}
	return &provider.Error{Kind: provider.ErrConflict, Op: opEnsure, Project: p.Name, Err: errors.New("the repository is suspended")}
}

// known is whether something is known of p's repository: that it is there, or else why it isn't.
func (r *repositories) known(p provider.Project) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if _, ok := r.ensured.get(p, now); ok {
		return true, nil
	}
	err, ok := r.failed.get(p, now)
	return ok, err
}

func (r *repositories) remember(p provider.Project, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.failed.put(p, err, time.Now())
		return
	}
	r.ensured.put(p, struct{}{}, time.Now())
	r.failed.forget(p)
}
