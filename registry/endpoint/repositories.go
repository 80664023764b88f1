package endpoint

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	// ensuredFor is how long a repository counts as made: somebody may remove it behind our back.
	ensuredFor = time.Hour
	// failedFor is how long a failure is answered without another try: whoever is refused asks again, and again.
	failedFor = 3 * time.Second
	// ensuringAtOnce is how many repositories are made, or looked at, in parallel. Others queue.
	ensuringAtOnce = 16
	// maxEnsured bounds what is remembered.
	maxEnsured = 100_000
)

// WithRepositories makes a project's repository before the project's first credential, with
// [provider.RepositoryManager.EnsureRepository]. That it did is remembered for an hour, so that a request costs nothing
// more; callers who ask at once wait for one call. A failure is remembered for three seconds. A few are made at once, and the
// others wait.
//
// It is made for a pull, too. So an [Authorize] has to refuse names of projects that don't exist: a rule such as "team-*" would
// have its holder make as many repositories as there are names.
//
// The service that gives a name to another project needs [WithProjectIDs], so that the new project gets 409 and not the former
// one's images.
//
// A suspended repository, one that isn't ours and one of a former project are 409; other errors are answered as those of
// the provider's Credentials. It panics if m is nil: provider.Repositories says why there is none.
func WithRepositories(m provider.RepositoryManager) Option {
	if m == nil {
		panic("endpoint.WithRepositories: the manager is required")
	}
	r := &repositories{
		manager: m, turns: semaphore.NewWeighted(ensuringAtOnce),
		ensured: map[provider.Project]time.Time{}, failed: map[provider.Project]failed{},
	}
	return func(o *options) { o.repositories = r }
}

type repositories struct {
	manager provider.RepositoryManager

	group singleflight.Group
	turns *semaphore.Weighted
	mu    sync.Mutex
	// ensured is until when a project's repository counts as made. By project, not by name: another id is another's.
	ensured map[provider.Project]time.Time
	failed  map[provider.Project]failed
}

// failed is why a project's repository couldn't be made, and until when that is the answer.
type failed struct {
	err   error
	until time.Time
}

func (r *repositories) ensure(ctx context.Context, p provider.Project, limit time.Duration) error {
	if known, err := r.known(p); known {
		return err
	}
	p.Name, p.ID = strings.Clone(p.Name), strings.Clone(p.ID) // they may be parts of a whole request
	done := r.group.DoChan(p.Name+"\x00"+p.ID, func() (any, error) {
		// The call outlives the request that began it: others wait for it too.
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		return nil, r.call(detached, p)
	})
	select {
	case result := <-done:
		return result.Err
	case <-ctx.Done():
		return late(p, ctx.Err())
	}
}

func late(p provider.Project, err error) error {
	return &provider.Error{Kind: provider.ErrTimeout, Op: "ensure repository", Project: p.Name, Err: err}
}

func (r *repositories) call(ctx context.Context, p provider.Project) (err error) {
	if known, err := r.known(p); known {
		return err
	}
	if err := r.turns.Acquire(ctx, 1); err != nil {
		return late(p, err)
	}
	defer r.turns.Release(1)
	defer func() {
		if v := recover(); v != nil { // singleflight would end the process
			err = recovered(v)
		}
		r.remember(p, err)
	}()
	change, err := r.manager.EnsureRepository(ctx, p, provider.EnsureOptions{})
	if err == nil && change.Owner.Suspended {
		err = &provider.Error{Kind: provider.ErrConflict, Op: "ensure repository", Project: p.Name, Err: errors.New("the repository is suspended")}
	}
	return err
}

func (r *repositories) known(p provider.Project) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if f, ok := r.failed[p]; ok && now.Before(f.until) {
		return true, f.err
	}
	return now.Before(r.ensured[p]), nil
}

func (r *repositories) remember(p provider.Project, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if err == nil {
		makeRoom(r.ensured)
		r.ensured[p] = now.Add(ensuredFor)
		delete(r.failed, p)
		return
	}
	makeRoom(r.failed)
	r.failed[p] = failed{err, now.Add(failedFor)}
}

func makeRoom[V any](remembered map[provider.Project]V) {
	if len(remembered) >= maxEnsured {
		clear(remembered)
	}
}
