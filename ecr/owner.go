package ecr

import (
	"errors"
	"maps"
	"regexp"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
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

var projectIDPattern = regexp.MustCompile(`^[A-Za-z0-9_.:/=+@-]{1,256}$`) // what a tag's value can be, without spaces

func validateOwner(p provider.Project) error {
	if err := provider.ValidateProject(p.Name); err != nil {
		return err
	}
	if p.ID != "" && !projectIDPattern.MatchString(p.ID) {
		return &provider.Error{
			Kind: provider.ErrInvalidRequest, Op: "check project id", Project: p.Name,
			Err: errors.New("a project id is at most 256 characters of A-Z, a-z, 0-9 and _.:/=+@-"),
		}
	}
	return nil
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
func (c Config) owner(project string, tags map[string]string) provider.RepositoryOwner {
	o := provider.RepositoryOwner{
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
