package repositories

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/hint"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// operation is one of repository.Manager's methods at work on one repository.
type operation struct {
	m        *Manager
	aws      *awsapi.Repository
	project  provider.Project
	change   repository.Change
	unsettle bool // its tags changed a moment ago
	// ahead is how far AWS's clock was ahead of this machine's when the owner was read.
	ahead time.Duration
}

// begin is for methods that are told whose the repository is to be.
func (m *Manager) begin(project provider.Project) (*operation, error) {
	o, err := m.beginNamed(project)
	if err == nil && m.setup.ProjectIDs && project.ID == "" {
		return nil, hint.NoProjectID("check project id", project.Name)
	}
	return o, err
}

// beginNamed is for methods that go by the name alone.
func (m *Manager) beginNamed(project provider.Project) (*operation, error) {
	if err := project.Validate(); err != nil {
		return nil, err
	}
	name := m.setup.RepoPrefix + project.Name
	o := &operation{m: m, project: project, change: repository.Change{Project: project.Name, Name: name}}
	o.aws = m.aws.Repository(project.Name, name, m.setup.ARN(name), &o.change.Calls)
	return o, nil
}

func (o *operation) did(a repository.Action) { o.change.Actions = append(o.change.Actions, a) }

func (o *operation) note(text string) { o.change.Notes = append(o.change.Notes, text) }

// fail makes the operation's error of one that it decided on itself.
func (o *operation) fail(kind provider.Kind, op, hint string, text string) error {
	return &provider.Error{Kind: kind, Op: op, Project: o.project.Name, Hint: hint, Err: errors.New(text)}
}

// explained is the error of a call upstream.
func (o *operation) explained(err error) error {
	if f := failure.Of(err); f != nil {
		return hint.Error(o.m.setup, f)
	}
	return err
}

// write is a call for which a right that depends on tags is needed. It is ErrNotFound when the repository is gone by now: AWS
// denies that, as what is gone has no tags.
func (o *operation) write(ctx context.Context, op string, do func(context.Context) error) error {
	err := o.explained(do(ctx))
	if errors.Is(err, provider.ErrAccessDenied) {
		if r, again := o.describe(ctx); again == nil && r == nil {
			return o.fail(provider.ErrNotFound, op, "", "repository "+o.change.Name+" was removed meanwhile")
		}
	}
	for _, delay := range settleDelays() {
		if !o.unsettle || !errors.Is(err, provider.ErrAccessDenied) {
			break
		}
		if !wait(ctx, delay) {
			return err
		}
		err = o.explained(do(ctx))
	}
	return err
}

// describe returns nil when there is none.
func (o *operation) describe(ctx context.Context) (*types.Repository, error) {
	r, at, err := o.aws.Describe(ctx)
	switch err = o.explained(err); {
	case errors.Is(err, provider.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if !at.IsZero() && at.Sub(aws.ToTime(r.CreatedAt)) < settling {
		o.unsettle = true
	}
	return &r, nil
}
