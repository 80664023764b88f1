package ecr

import (
	"fmt"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// noProjectID is the error for what has no id where project_ids demands one.
func noProjectID(op, project string) error {
	return &provider.Error{
		Kind: provider.ErrInvalidRequest, Op: op, Project: project,
		Err:  fmt.Errorf("%w, and project_ids demands it of every request and repository call", provider.ErrNoProjectID),
		Hint: "the service names it in provider.Request.ProjectID and provider.Project.ID, and to the endpoint with endpoint.WithProjectIDs; operator takes it as --id",
	}
}

// owner reads from tags whose a repository of the name of project is.
func (c Config) owner(project string, tags map[string]string) repository.Owner {
	o := repository.Owner{
		ProjectID: tags[policy.TagProjectID],
		Orphaned:  tags[policy.TagOrphaned] == policy.TagTrue,
		Suspended: tags[policy.TagSuspended] == policy.TagTrue,
	}
	if o.Orphaned {
		if at, err := time.Parse(time.RFC3339, tags[policy.TagOrphanedAt]); err == nil {
			o.OrphanedAt = at
		}
	}
	installation, tagged := tags[policy.TagInstallation]
	switch {
	case tags[policy.TagManaged] != policy.TagTrue:
		o.Reason = "it isn't tagged " + policy.TagManaged + "=" + policy.TagTrue
	case tags[policy.TagProject] != project:
		o.Reason = "its tag " + policy.TagProject + " doesn't name the project"
	case c.Installation != "" && !tagged:
		o.Reason = "it has no tag " + policy.TagInstallation
	case installation != c.Installation:
		o.Reason = "its tag " + policy.TagInstallation + " names another installation"
	default:
		o.Ours = true
	}
	return o
}
