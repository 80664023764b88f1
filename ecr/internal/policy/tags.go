package policy

import "maps"

// The tags that say whose a repository is, and whose a session (TagProject alone). Rights depend on them.
const (
	TagManaged      = "rise:managed"
	TagInstallation = "rise:installation"
	TagProject      = "rise:project"
	TagProjectID    = "rise:project-id"
	TagOrphaned     = "rise:orphaned"
	TagOrphanedAt   = "rise:orphaned-at" // RFC 3339
	TagSuspended    = "rise:suspended"

	// TagTrue is the value of those that are there or aren't.
	TagTrue = "true"
)

// Tags returns the keys of all of them.
func Tags() []string {
	return []string{TagProject, TagProjectID, TagInstallation, TagManaged, TagOrphaned, TagOrphanedAt, TagSuspended}
}

// OwnerTags returns what a new repository of a project is tagged with; id is "" where the project has none.
func (s Setup) OwnerTags(project, id string) map[string]string {
	tags := map[string]string{}
	maps.Copy(tags, s.Tags)
	tags[TagManaged], tags[TagProject] = TagTrue, project
	if s.Installation != "" {
		tags[TagInstallation] = s.Installation
	}
	if id != "" {
		tags[TagProjectID] = id
	}
	return tags
}

// What stands before a tag's key in a condition's: the tag of the resource, of the request, of who asks.
const (
	resourceTag  = "aws:ResourceTag/"
	requestTag   = "aws:RequestTag/"
	principalTag = "aws:PrincipalTag/"
)

// own are the tags that make a repository this installation's: in a condition, keys with prefix before the tag.
func (s Setup) own(prefix string) map[string]any {
	tags := map[string]any{prefix + TagManaged: TagTrue}
	if s.Installation != "" {
		tags[prefix+TagInstallation] = s.Installation
	}
	return tags
}
