package operator

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

type reconcileCmd struct {
	Projects           string `required:"" placeholder:"FILE" predictor:"file" help:"All projects that are to have a repository: one a line, its id after it if it has one. # begins a comment."`
	DryRun             bool   `help:"Change nothing; say what would be done."`
	AuditBudget        int    `default:"500" help:"How many calls upstream may look at what a listing doesn't show, before anything is released or purged: a random sample of what the list wants, two calls a repository. Raise it with more than a thousand repositories and a percentage below 10. 0: tags only, where something is to go."`
	MaxOrphanedPercent int    `default:"20" help:"How many of our repositories may be orphaned within 24 hours, the wanted ones that are orphaned included: 1 to 100, which turns the guard off."`
	Lock               string `placeholder:"FILE" help:"Lock this file for the length of the run, as flock(1) does, and do nothing where another run has it locked. It is made where there is none, and stays. It keeps runs apart on one machine, or on several that share the file by NFS."`
	Rate               int    `default:"20" help:"How many operations are begun in a second."`
}

// Help is what --help says after the command's first sentence.
func (reconcileCmd) Help() string {
	return "It creates, mends, and releases what the list lacks. The guard holds back all releasing and purging when more than " +
		"--max-orphaned-percent of our repositories would be orphaned: those of the last 24 hours, those to be released now, and as many of " +
		"the wanted ones as may be orphaned by what a random sample of them shows. That holds against lists that differ from run to run as " +
		"long as runs don't overlap; overlapping ones have the limit each for themselves, so let one end before the next begins " +
		"(concurrencyPolicy: Forbid in a CronJob, --lock in a crontab)."
}

func (c reconcileCmd) Run(env *environment) error {
	_, p, err := env.load()
	if err != nil {
		return err
	}
	return errors.Join(c.reconcile(env, p), provider.Close(p))
}

func (c reconcileCmd) reconcile(env *environment, p provider.Provider) error {
	if c.MaxOrphanedPercent < 1 { // the library's default, which whoever types 0 doesn't mean
		return errors.New("--max-orphaned-percent must be 1 to 100; one repository may always go")
	}
	progress := newProgress(env.stderr)
	r, err := reconcile.New(p, reconcile.WantedFunc(c.wanted), reconcile.Options{
		DryRun: c.DryRun, AuditBudget: none(c.AuditBudget), MaxOrphanedPercent: c.MaxOrphanedPercent, Rate: none(c.Rate), Progress: progress.show,
		Lease: c.lease(),
	})
	if err != nil {
		return err
	}
	found, err := r.Run(env)
	progress.end()
	return errors.Join(c.print(env.stdout, found), err)
}

// lease is what keeps this run apart from others.
func (c reconcileCmd) lease() func(context.Context) (context.Context, func(), error) {
	if c.Lock == "" {
		return nil
	}
	return func(ctx context.Context) (context.Context, func(), error) {
		unlock, err := lock(c.Lock)
		if err != nil {
			return nil, nil, fmt.Errorf("--lock: %w", err)
		}
		return ctx, unlock, nil
	}
}

// none makes "no limit" or "nothing" of the zero that was typed, which means the default to the library.
func none(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// wanted reads the file each time that it is asked: it may have changed since.
func (c reconcileCmd) wanted(context.Context) ([]provider.Project, error) {
	file, err := os.Open(c.Projects)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // read only
	return readProjects(c.Projects, file)
}

func readProjects(name string, r io.Reader) ([]provider.Project, error) {
	var projects []provider.Project
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		switch fields := strings.Fields(text); len(fields) {
		case 0:
		case 1:
			projects = append(projects, provider.Project{Name: fields[0]})
		case 2:
			projects = append(projects, provider.Project{Name: fields[0], ID: fields[1]})
		default:
			return nil, fmt.Errorf("%s:%d: a line is a project's name, and its id if it has one", name, n)
		}
		if len(projects) > 0 {
			if err := projects[len(projects)-1].Validate(); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, n, err)
			}
		}
	}
	return projects, lines.Err()
}

func (c reconcileCmd) print(w io.Writer, r reconcile.Report) error {
	slices.SortFunc(r.Changes, func(a, b repository.Change) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(r.LeftAlone, func(a, b reconcile.LeftAlone) int { return cmp.Compare(a.Project, b.Project) })
	var errs []error
	for _, change := range r.Changes {
		errs = append(errs, report(w, change))
	}
	for _, l := range r.LeftAlone {
		_, err := fmt.Fprintf(w, "left alone: %s: %s\n", l.Project, l.Reason)
		errs = append(errs, err)
	}
	done := "done"
	if r.DryRun {
		done = "planned; nothing was changed"
	}
	_, err := fmt.Fprintf(w, "%d repositories, %d projects: %d to create, %d to restore, %d to mend, %d to release, %d to purge (%s); %d audited, %d left alone, %d failed\n",
		r.Listed, r.Wanted, r.Created, r.Restored, r.Mended, r.Released, r.Purged, done, r.Audited, len(r.LeftAlone), r.Failures)
	errs = append(errs, err)
	if g := r.Guard; g.Limit > 0 {
		_, err = fmt.Fprintf(w, "guard: %d wanted repositories, %d read, %d of them orphaned, so up to %d; %d orphaned within 24 hours, %d unread, %d to release: %d, of %d allowed at once (runs that overlap have this limit each for themselves)\n",
			g.Wanted, g.Read, g.Found, g.WantedOrphaned, g.Orphaned, g.Unread, g.ToRelease, g.WantedOrphaned+g.Orphaned+g.Unread+g.ToRelease, g.Limit)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
