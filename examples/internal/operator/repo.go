package operator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

type repo struct {
	Ensure  repoEnsure  `cmd:"" help:"Make a project's repository, or mend its settings."`
	Release repoRelease `cmd:"" help:"Let go of a project's repository: it is marked as orphaned, and removed later if auto_remove is set."`
	Restore repoRestore `cmd:"" help:"Take back a release."`
	Suspend repoSuspend `cmd:"" help:"Make every credential for a project's repository fail, also those handed out before."`
	Adopt   repoAdopt   `cmd:"" help:"Make an existing repository that is nobody's a project's."`
	List    repoList    `cmd:"" help:"List the repositories, one a line: project, repository, when it was made, and what isn't as configured."`
	Purge   repoPurge   `cmd:"" help:"Remove repositories, with their images, that were released long ago."`
}

// projectArgs name a project.
type projectArgs struct {
	Project string `arg:"" help:"The project's name."`
	ID      string `name:"id" help:"The service's immutable id of the project, if it has one."`
}

func (a projectArgs) project() provider.Project { return provider.Project{Name: a.Project, ID: a.ID} }

type (
	repoEnsure struct {
		projectArgs
		DryRun bool `help:"Change nothing; say what would be done."`
	}
	repoRelease struct{ projectArgs }
	repoRestore struct{ projectArgs }
	repoAdopt   struct {
		projectArgs
		Force bool `help:"Adopt it even if its policy lets others in."`
	}
	repoSuspend struct {
		Project string `arg:"" help:"The project's name."`
		Lift    bool   `help:"Let credentials work again."`
	}
	repoList struct {
		Owners bool `help:"Also tell whose each one is. It takes one call for each repository."`
	}
	repoPurge struct {
		OlderThan time.Duration `required:"" placeholder:"720h" help:"How long ago they were released at least."`
	}
)

func (c repoEnsure) Run(env *environment) error {
	return env.change(func(m repository.Manager) (repository.Change, error) {
		return m.EnsureRepository(env, c.project(), repository.EnsureOptions{DryRun: c.DryRun})
	})
}

func (c repoRelease) Run(env *environment) error {
	return env.change(func(m repository.Manager) (repository.Change, error) {
		return m.ReleaseRepository(env, c.project())
	})
}

func (c repoRestore) Run(env *environment) error {
	return env.change(func(m repository.Manager) (repository.Change, error) {
		return m.RestoreRepository(env, c.project())
	})
}

func (c repoAdopt) Run(env *environment) error {
	return env.change(func(m repository.Manager) (repository.Change, error) {
		return m.AdoptRepository(env, c.project(), c.Force)
	})
}

func (c repoSuspend) Run(env *environment) error {
	return env.change(func(m repository.Manager) (repository.Change, error) {
		return m.SuspendRepository(env, c.Project, !c.Lift)
	})
}

func (c repoList) Run(env *environment) error {
	return env.manage(func(m repository.Manager) error {
		for r, err := range m.ListRepositories(env) {
			if err != nil {
				return err
			}
			fields := []string{r.Project, r.Name, r.CreatedAt.UTC().Format(time.RFC3339), joined(r.Drift, "as configured")}
			if c.Owners {
				owner, err := m.RepositoryOwner(env, r.Project)
				if err != nil && !errors.Is(err, provider.ErrNotFound) {
					return err
				}
				fields = append(fields, described(owner))
			}
			if _, err := fmt.Fprintln(env.stdout, strings.Join(fields, "\t")); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c repoPurge) Run(env *environment) error {
	return env.manage(func(m repository.Manager) error {
		var errs []error
		for change, err := range repository.Purge(env, m, c.OlderThan) {
			if err != nil {
				errs = append(errs, err)
				continue
			}
			errs = append(errs, report(env.stdout, change))
		}
		return errors.Join(append(errs, context.Cause(env))...)
	})
}

// manage runs do with the configured provider's repositories.
func (env *environment) manage(do func(repository.Manager) error) error {
	_, p, err := env.load()
	if err != nil {
		return err
	}
	m, err := repository.ManagerOf(p)
	if err == nil {
		err = do(m)
	}
	return errors.Join(err, provider.Close(p))
}

// change runs do and reports what it did, however far it came.
func (env *environment) change(do func(repository.Manager) (repository.Change, error)) error {
	return env.manage(func(m repository.Manager) error {
		change, err := do(m)
		if err != nil && !change.Changed() {
			return err
		}
		return errors.Join(report(env.stdout, change), err)
	})
}

func report(w io.Writer, c repository.Change) error {
	_, err := fmt.Fprintf(w, "%s: %s\n", cmp.Or(c.Name, c.Project), joined(c.Actions, "nothing to do"))
	for _, note := range c.Notes {
		_, noted := fmt.Fprintf(w, "  note: %s\n", note)
		err = errors.Join(err, noted)
	}
	return err
}

func joined(actions []repository.Action, none string) string {
	if len(actions) == 0 {
		return none
	}
	texts := make([]string, len(actions))
	for i, a := range actions {
		texts[i] = string(a)
	}
	return strings.Join(texts, ", ")
}

// described says whose a repository is.
func described(o repository.Owner) string {
	switch {
	case !o.Ours && o.Reason == "":
		return "gone"
	case !o.Ours:
		return "not ours: " + o.Reason
	case o.Orphaned && o.OrphanedAt.IsZero():
		return "orphaned"
	case o.Orphaned:
		return "orphaned " + o.OrphanedAt.UTC().Format(time.RFC3339)
	case o.Suspended:
		return "suspended"
	}
	return "ours"
}
