package ecr

import (
	"fmt"
	"maps"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// The tags that say whose a repository is. Policies depend on them: see package iampolicy.
const (
	tagManaged      = "rise:managed"
	tagInstallation = "rise:installation"
	tagProjectID    = "rise:project-id"
	tagOrphaned     = "rise:orphaned"
	tagOrphanedAt   = "rise:orphaned-at" // RFC 3339
	tagSuspended    = "rise:suspended"

	tagTrue = "true"
)

// noProjectID is the error for what has no id where project_ids demands one.
func noProjectID(op, project string) error {
	return &provider.Error{
		Kind: provider.ErrInvalidRequest, Op: op, Project: project,
		Err:  fmt.Errorf("%w, and project_ids demands it of every request and repository call", provider.ErrNoProjectID),
		Hint: "the service names it in provider.Request.ProjectID and provider.Project.ID, and to the endpoint with endpoint.WithProjectIDs; operator takes it as --id",
	}
}

// ownerTags are what a new repository of p is tagged with.
func (c Config) ownerTags(p provider.Project) map[string]string {
	tags := map[string]string{}
	maps.Copy(tags, c.Tags)
	tags[tagManaged], tags[tagProject] = tagTrue, p.Name
	if c.Installation != "" {
		tags[tagInstallation] = c.Installation
	}
	if p.ID != "" {
		tags[tagProjectID] = p.ID
	}
	return tags
}

// owner reads from tags whose a repository of the name of project is.
func (c Config) owner(project string, tags map[string]string) repository.Owner {
	o := repository.Owner{
		ProjectID: tags[tagProjectID],
		Orphaned:  tags[tagOrphaned] == tagTrue,
		Suspended: tags[tagSuspended] == tagTrue,
	}
	if o.Orphaned {
		if at, err := time.Parse(time.RFC3339, tags[tagOrphanedAt]); err == nil {
			o.OrphanedAt = at
		}
	}
	installation, tagged := tags[tagInstallation]
	switch {
	case tags[tagManaged] != tagTrue:
		o.Reason = "it isn't tagged " + tagManaged + "=" + tagTrue
	case tags[tagProject] != project:
		o.Reason = "its tag " + tagProject + " doesn't name the project"
	case c.Installation != "" && !tagged:
		o.Reason = "it has no tag " + tagInstallation
	case installation != c.Installation:
		o.Reason = "its tag " + tagInstallation + " names another installation"
	default:
		o.Ours = true
	}
	return o
}
