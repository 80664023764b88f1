package reconcile

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

const (
	opWanted = "list wanted projects"
	opAsk    = "ask whether the project is wanted"
)

// list returns all repositories, sorted by project.
func (n *run) list(ctx context.Context) ([]repository.Repository, error) {
	const op = "list repositories"
	n.progress(PhaseList, 0, 0)
	var listed []repository.Repository
	for r, err := range n.manager.ListRepositories(ctx) {
		if err != nil {
			return nil, &provider.Error{Kind: kindOf(err), Op: op, Err: err}
		}
		n.clock(r.ReadAt)
		if len(r.Drift) == 0 {
			r.Drift = nil
		}
		if listed = append(listed, r); len(listed)%progressEvery == 0 {
			n.progress(PhaseList, len(listed), 0)
		}
	}
	if err := ctx.Err(); err != nil { // a provider may take its end for that of the listing
		return nil, ended(op, err)
	}
	n.progress(PhaseList, len(listed), 0)
	// Pages may overlap while repositories come and go: the youngest of a name counts.
	slices.SortFunc(listed, func(a, b repository.Repository) int {
		return cmp.Or(strings.Compare(a.Project, b.Project), b.CreatedAt.Compare(a.CreatedAt))
	})
	return slices.CompactFunc(listed, func(a, b repository.Repository) bool { return a.Project == b.Project }), nil
}

// ask returns the wanted projects, sorted by name.
func (n *run) ask(ctx context.Context) ([]provider.Project, error) {
	n.progress(PhaseWanted, 0, 0)
	refuse := func(kind provider.Kind, project, hint string, err error) error {
		return &provider.Error{Kind: kind, Op: opWanted, Project: project, Hint: hint, Err: err}
	}
	var wanted []provider.Project
	for p, err := range n.wanted.Projects(ctx) {
		if err != nil {
			return nil, refuse(kindOf(err), "", "", err)
		}
		if err := provider.ValidateProject(p.Name); err != nil {
			return nil, refuse(provider.ErrInvalidRequest, "", "", err)
		}
		wanted = append(wanted, p)
		if len(wanted)%progressEvery == 0 {
			n.progress(PhaseWanted, len(wanted), 0)
		}
	}
	if err := ctx.Err(); err != nil { // a source may take its end for that of the list
		return nil, ended(opWanted, err)
	}
	n.progress(PhaseWanted, len(wanted), 0)
	if len(wanted) == 0 {
		return nil, refuse(provider.ErrConflict, "", "a service without any project needs no reconciling; release its repositories one by one",
			errors.New("there are none, which is taken for a failure"))
	}
	slices.SortFunc(wanted, func(a, b provider.Project) int { return strings.Compare(a.Name, b.Name) })
	wanted = slices.Compact(wanted)
	for i := range len(wanted) - 1 {
		if wanted[i].Name == wanted[i+1].Name {
			return nil, refuse(provider.ErrInvalidRequest, wanted[i].Name, "", errors.New("two projects of one name, with different ids"))
		}
	}
	return wanted, nil
}

// askAgain asks for one.
func (n *run) askAgain(ctx context.Context, name string) (provider.Project, bool, error) {
	p, wanted, err := n.wanted.Project(ctx, name)
	if err == nil && wanted && p.Name != name {
		err = errors.New("the answer is about another project")
	}
	if err != nil {
		return p, false, &provider.Error{Kind: kindOf(err), Op: opAsk, Project: name, Err: err}
	}
	return p, wanted, nil
}
