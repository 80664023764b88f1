package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// call is one call upstream that the fake makes.
type call struct {
	name, project string
	writes        bool
}

// fake is a provider of repositories in memory. Its methods are made of calls, one at a time, as a real provider's are: it
// checks tags in one call and changes them in another.
type fake struct {
	mu        sync.Mutex
	repos     map[string]*repo
	retention repository.Retention
	retained  error // Retention's
	calls     []call
	quiet     bool          // keeps no calls
	ahead     time.Duration // of the registry's clock
	timeless  bool          // tells no time
	// intercept, if set, carries out each call, or doesn't.
	intercept func(ctx context.Context, c call, do func() error) error
}

// now is the registry's time, which isn't that of the process.
func (f *fake) now() time.Time { return time.Now().Add(f.ahead) }

// readAt is the time that an answer shows.
func (f *fake) readAt() time.Time {
	if f.timeless {
		return time.Time{}
	}
	return f.now()
}

// repo is a repository. another is a reason why it isn't ours.
type repo struct {
	createdAt          time.Time
	id, another        string
	orphanedAt         time.Time
	orphaned           bool
	drift, unlifecycle bool
	images             []string // by whose project they were pushed
}

func newFake(repos map[string]*repo) *fake {
	return &fake{repos: repos, retention: repository.Retention{Remove: true, After: 24 * time.Hour}}
}

func (f *fake) Repository(project string, _ provider.Consumer) (name.Repository, error) {
	return name.NewRepository("registry.example.com/" + project)
}

func (f *fake) Credentials(context.Context, provider.Request) (provider.Credentials, error) {
	return provider.Credentials{}, provider.ErrUnsupported
}

var (
	_ provider.Provider  = (*fake)(nil)
	_ repository.Manager = (*fake)(nil)
)

func (f *fake) call(ctx context.Context, change *repository.Change, what string, do func(r *repo) error) error {
	if change != nil {
		change.Calls++
	}
	c := call{name: what, writes: !strings.HasPrefix(what, "read") && what != "list"}
	if change != nil {
		c.project = change.Project
	}
	locked := func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		return do(f.repos[c.project])
	}
	f.mu.Lock()
	if !f.quiet {
		f.calls = append(f.calls, c)
	}
	intercept := f.intercept
	f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return &provider.Error{Kind: provider.ErrTimeout, Op: what, Project: c.project, Err: err}
	}
	if intercept != nil {
		return intercept(ctx, c, locked)
	}
	return locked()
}

func failed(kind provider.Kind, c *repository.Change, op string) error {
	return &provider.Error{Kind: kind, Op: op, Project: c.Project, Err: errors.New("as the fake says")}
}

func begin(p provider.Project) *repository.Change {
	return &repository.Change{Project: p.Name, Name: "rise/" + p.Name}
}

func (f *fake) owner(ctx context.Context, c *repository.Change) error {
	return f.call(ctx, c, "read tags", func(r *repo) error {
		if r == nil {
			return failed(provider.ErrNotFound, c, "read tags")
		}
		c.Owner = repository.Owner{
			Ours: r.another == "", Reason: r.another, ProjectID: r.id, Orphaned: r.orphaned, OrphanedAt: r.orphanedAt, ReadAt: f.readAt(),
		}
		return nil
	})
}

func (f *fake) ours(ctx context.Context, c *repository.Change) error {
	err := f.owner(ctx, c)
	if err == nil && !c.Owner.Ours {
		err = failed(provider.ErrNotOurs, c, "check")
	}
	return err
}

func (f *fake) write(ctx context.Context, c *repository.Change, a repository.Action, change func(r *repo)) error {
	err := f.call(ctx, c, string(a), func(r *repo) error {
		if r == nil {
			return failed(provider.ErrNotFound, c, string(a))
		}
		change(r)
		return nil
	})
	if err == nil {
		c.Actions = append(c.Actions, a)
	}
	return err
}

func (f *fake) EnsureRepository(ctx context.Context, p provider.Project, o repository.EnsureOptions) (repository.Change, error) {
	c := begin(p)
	for range 3 {
		drift := o.Listed != nil && len(o.Listed.Drift) > 0
		if o.Listed == nil {
			found := false
			if err := f.call(ctx, c, "read description", func(r *repo) error {
				found, drift = r != nil, r != nil && r.drift
				return nil
			}); err != nil {
				return *c, err
			}
			if !found {
				if o.DryRun {
					c.Actions = append(c.Actions, repository.ActionCreate)
					return *c, nil
				}
				made := false
				err := f.call(ctx, c, "create", func(r *repo) error {
					if made = r == nil; made {
						f.repos[p.Name] = &repo{createdAt: f.now(), id: p.ID}
					}
					return nil
				})
				if err != nil {
					return *c, err
				}
				if made {
					c.Actions = append(c.Actions, repository.ActionCreate)
					return *c, nil
				}
				continue
			}
		}
		o.Listed = nil
		err := f.ours(ctx, c)
		if errors.Is(err, provider.ErrNotFound) {
			continue
		}
		if err != nil {
			return *c, err
		}
		switch {
		case c.Owner.Orphaned && (p.ID == "" || p.ID != c.Owner.ProjectID):
			return *c, failed(provider.ErrOrphaned, c, "ensure")
		case p.ID != "" && c.Owner.ProjectID != "" && p.ID != c.Owner.ProjectID:
			return *c, failed(provider.ErrNotOurs, c, "ensure")
		case c.Owner.Orphaned && o.DryRun:
			c.Actions = append(c.Actions, repository.ActionRestore)
		case c.Owner.Orphaned:
			if err := f.write(ctx, c, repository.ActionRestore, func(r *repo) { r.orphaned, r.orphanedAt = false, time.Time{} }); err != nil {
				return *c, err
			}
		}
		if drift && o.DryRun {
			c.Actions = append(c.Actions, repository.ActionScanOnPush)
		} else if drift {
			if err := f.write(ctx, c, repository.ActionScanOnPush, func(r *repo) { r.drift = false }); err != nil {
				return *c, err
			}
		}
		if o.ListedOnly {
			return *c, nil
		}
		unlifecycle := false
		if err := f.call(ctx, c, "read lifecycle", func(r *repo) error { unlifecycle = r != nil && r.unlifecycle; return nil }); err != nil {
			return *c, err
		}
		if unlifecycle && o.DryRun {
			c.Actions = append(c.Actions, repository.ActionLifecycle)
		} else if unlifecycle {
			return *c, f.write(ctx, c, repository.ActionLifecycle, func(r *repo) { r.unlifecycle = false })
		}
		return *c, nil
	}
	return *c, failed(provider.ErrConflict, c, "ensure")
}

func (f *fake) ReleaseRepository(ctx context.Context, p provider.Project) (repository.Change, error) {
	c := begin(p)
	err := f.ours(ctx, c)
	switch {
	case errors.Is(err, provider.ErrNotFound):
		return *c, nil
	case err != nil:
		return *c, err
	case p.ID != "" && c.Owner.ProjectID != "" && p.ID != c.Owner.ProjectID:
		return *c, failed(provider.ErrNotOurs, c, "release")
	case c.Owner.Orphaned && !c.Owner.OrphanedAt.IsZero():
		return *c, nil
	}
	now := f.now()
	err = f.write(ctx, c, repository.ActionRelease, func(r *repo) { r.orphaned, r.orphanedAt = true, now })
	if err == nil && f.retention.Remove && f.retention.After == 0 {
		err = f.remove(ctx, c)
	}
	if errors.Is(err, provider.ErrNotFound) {
		err = nil
	}
	return *c, err
}

// remove deletes what is orphaned, as the controller's policy has it, which knows what is when it deletes.
func (f *fake) remove(ctx context.Context, c *repository.Change) error {
	gone := false
	err := f.call(ctx, c, "remove", func(r *repo) error {
		if gone = r != nil && r.orphaned; gone {
			delete(f.repos, c.Project)
		}
		return nil
	})
	if gone && err == nil {
		c.Actions = append(c.Actions, repository.ActionRemove)
	}
	return err
}

func (f *fake) PurgeRepository(ctx context.Context, project string, olderThan time.Duration) (repository.Change, error) {
	c := begin(provider.Project{Name: project})
	if !f.retention.Remove || olderThan < f.retention.After {
		return *c, failed(provider.ErrMisconfigured, c, "purge")
	}
	err := f.owner(ctx, c)
	if errors.Is(err, provider.ErrNotFound) {
		return *c, nil
	}
	o := c.Owner
	if err != nil || !o.Ours || !o.Orphaned || o.OrphanedAt.IsZero() || f.now().Sub(o.OrphanedAt) < olderThan {
		return *c, err
	}
	return *c, f.remove(ctx, c)
}

func (f *fake) RepositoryOwner(ctx context.Context, project string) (repository.Owner, error) {
	c := begin(provider.Project{Name: project})
	err := f.owner(ctx, c)
	return c.Owner, err
}

// A reconciler has no business with the methods that panic.
func (f *fake) AdoptRepository(context.Context, provider.Project, bool) (repository.Change, error) {
	panic("adopted")
}

func (f *fake) RestoreRepository(context.Context, provider.Project) (repository.Change, error) {
	panic("restored")
}

func (f *fake) SuspendRepository(context.Context, string, bool) (repository.Change, error) {
	panic("suspended")
}

// page is how many repositories the fake lists in one call.
const page = 1000

func (f *fake) ListRepositories(ctx context.Context) iter.Seq2[repository.Repository, error] {
	return func(yield func(repository.Repository, error) bool) {
		for from := ""; ; {
			var listed []repository.Repository
			more := false
			err := f.call(ctx, nil, "list", func(*repo) error {
				names := slices.Sorted(maps.Keys(f.repos))
				if i, found := slices.BinarySearch(names, from); found {
					names = names[i+1:]
				}
				if more = len(names) > page; more {
					names = names[:page]
				}
				for _, project := range names {
					r := repository.Repository{Project: project, Name: "rise/" + project, CreatedAt: f.repos[project].createdAt, ReadAt: f.readAt()}
					if f.repos[project].drift {
						r.Drift = []repository.Action{repository.ActionScanOnPush}
					}
					listed = append(listed, r)
				}
				return nil
			})
			if err != nil {
				yield(repository.Repository{}, err)
				return
			}
			for _, r := range listed {
				if !yield(r, nil) {
					return
				}
				from = r.Project
			}
			if !more {
				return
			}
		}
	}
}

func (f *fake) Retention() (repository.Retention, error) { return f.retention, f.retained }

// state is all of a repository but the times.
func (f *fake) state(project string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.repos[project]
	if r == nil {
		return "none"
	}
	return fmt.Sprintf("id=%s another=%s orphaned=%v drift=%v/%v images=%v", r.id, r.another, r.orphaned, r.drift, r.unlifecycle, r.images)
}

func (f *fake) states() string {
	f.mu.Lock()
	names := slices.Sorted(maps.Keys(f.repos))
	f.mu.Unlock()
	var b strings.Builder
	for _, project := range names {
		b.WriteString(project + ": " + f.state(project) + "\n")
	}
	return b.String()
}

// made are the calls so far, as "name project".
func (f *fake) made(writes bool) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, c := range f.calls {
		if !writes || c.writes {
			names = append(names, strings.TrimSpace(c.name+" "+c.project))
		}
	}
	return names
}

func (f *fake) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = nil
}

// service is a Wanted that changes. It asks step before each answer, with the project's name or "".
type service struct {
	mu       sync.Mutex
	projects map[string]string // name to id
	step     func(ctx context.Context, name string, do func() error) error
	list     error // Projects' at the end
	again    map[string]error
}

func newService(names ...string) *service {
	s := &service{projects: map[string]string{}, again: map[string]error{}}
	for _, n := range names {
		s.projects[n] = "id-" + n
	}
	return s
}

func (s *service) ask(ctx context.Context, name string, do func()) error {
	locked := func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		do()
		return nil
	}
	if s.step == nil {
		return locked()
	}
	return s.step(ctx, name, locked)
}

func (s *service) Projects(ctx context.Context) iter.Seq2[provider.Project, error] {
	return func(yield func(provider.Project, error) bool) {
		var projects map[string]string
		if err := s.ask(ctx, "", func() { projects = maps.Clone(s.projects) }); err != nil {
			yield(provider.Project{}, err)
			return
		}
		for n, id := range projects {
			if !yield(provider.Project{Name: n, ID: id}, nil) {
				return
			}
		}
		if s.list != nil {
			yield(provider.Project{}, s.list)
		}
	}
}

func (s *service) Project(ctx context.Context, n string) (p provider.Project, wanted bool, err error) {
	p.Name = n
	if err := s.ask(ctx, n, func() { p.ID, wanted = s.projects[n] }); err != nil {
		return p, false, err
	}
	return p, wanted, s.again[n]
}

func (s *service) set(name, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.projects[name] = id
}

func (s *service) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.projects, name)
}
