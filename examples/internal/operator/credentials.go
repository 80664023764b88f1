package operator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

type credentials struct {
	Project string `arg:"" help:"The project's name."`
	ID      string `name:"id" help:"The service's immutable id of the project. Default: the one that its repository bears."`
	Access  string `enum:"push,pull" default:"push" help:"What the credential can do: push (which includes pull) or pull."`
}

// Run prints the endpoint's answer, and says what the credential is worth where the repository isn't as it should be.
func (c credentials) Run(env *environment) error {
	configured, p, err := env.load()
	if err != nil {
		return err
	}
	if err := ownKeys(configured); err != nil {
		return errors.Join(err, provider.Close(p))
	}
	ctx, cancel := context.WithTimeout(env, endpoint.DefaultTimeout)
	defer cancel()
	return errors.Join(c.print(ctx, env, p), provider.Close(p))
}

func (c credentials) print(ctx context.Context, env *environment, p provider.Provider) error {
	project := provider.Project{Name: c.Project, ID: c.ID}
	r := provider.Request{Project: c.Project, ProjectID: c.ID, Consumer: provider.Client}
	if err := errors.Join(r.Access.UnmarshalText([]byte(c.Access)), project.Validate()); err != nil {
		return err
	}
	notes := ""
	if m, err := repository.ManagerOf(p); err == nil { // without it, repositories are none of ours
		owner, err := m.RepositoryOwner(ctx, c.Project)
		r.ProjectID = cmp.Or(c.ID, idOf(owner))
		notes = standing(project, owner, err)
	}
	issued, err := provider.Issue(ctx, p, r)
	if err != nil {
		return err
	}
	_, err = env.stdout.Write(endpoint.Response(c.Project, issued, time.Now()))
	_, noted := fmt.Fprint(env.stderr, notes)
	return errors.Join(err, noted)
}

// idOf is the id that a repository bears, unless it can't be one.
func idOf(o repository.Owner) string {
	if (provider.Project{Name: "x", ID: o.ProjectID}).Validate() != nil {
		return ""
	}
	return o.ProjectID
}

// standing says what of a project's repository keeps its credentials from working, and when the endpoint would answer otherwise.
func standing(p provider.Project, o repository.Owner, err error) string {
	const conflict = "it answers 409 (conflict)"
	var is string
	answer := conflict
	switch {
	case errors.Is(err, provider.ErrNotFound):
		is, answer = "there is no repository of project "+p.Name+": the credential works once there is", "it may make the repository before it answers"
	case err != nil:
		return fmt.Sprintf("note: whether the repository of project %s can be used isn't known: %v\n", p.Name, err)
	case !o.Ours:
		is = "the repository of project " + p.Name + " isn't ours (" + o.Reason + "): the credential may not work with it"
	case p.ID != "" && o.ProjectID != "" && p.ID != o.ProjectID:
		is = "the repository of project " + p.Name + " is another id's: the credential doesn't work with it"
	case o.Orphaned:
		is = "the repository of project " + p.Name + " is orphaned: it was released, and no credential works with it"
		if o.ProjectID != "" {
			answer = "it restores the repository, for the id that released it alone, and else answers 409 (conflict)"
		}
	case o.Suspended:
		is = "the repository of project " + p.Name + " is suspended: no credential works with it"
	default:
		return ""
	}
	return "note: " + is + "\nnote: the endpoint answers the same, unless it makes repositories (server.ensure_repositories, endpoint.WithRepositories): then " + answer + "\n"
}
