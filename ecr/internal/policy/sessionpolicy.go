package policy

import (
	"slices"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// All that a session is allowed, by its access.
var (
	pullSession = slices.Concat([]string{ActionToken}, pullActions)
	pushSession = slices.Concat([]string{ActionToken}, pushActions)
)

// SessionPolicy returns the session policy of r's session, as JSON. It allows what r's access needs on the project's repository
// (those of the prefix for all projects), and denies everything else, in so many words: an Allow alone doesn't cut what a
// repository's or the registry's policy grants to the session itself or to everybody.
//
// With the project's id it also denies the repository from when on that bears another one: tokens can't be revoked, but each use
// of one is decided by the tags of that moment. A repository that bears none is let through, as it may be older than ids are.
//
// r has to be valid.
func (s Setup) SessionPolicy(r provider.Request) (string, error) {
	var resource any = s.RepositoryARN(r.Project)
	if r.AllProjects {
		resource = s.AllRepositories()
	}
	actions, allowed := pullActions, pullSession
	if r.Access == provider.Push {
		actions, allowed = pushActions, pushSession
	}
	statements := append(make([]Statement, 0, 5),
		Statement{Effect: "Allow", Action: ActionToken, Resource: "*"},
		Statement{Effect: "Allow", Action: actions, Resource: resource},
		Statement{Effect: "Deny", NotAction: ActionToken, NotResource: resource},
		Statement{Effect: "Deny", NotAction: allowed, Resource: "*"},
	)
	if r.ProjectID != "" {
		const bears = resourceTag + TagProjectID
		statements = append(statements, Statement{
			Effect: "Deny", NotAction: ActionToken, Resource: resource,
			Condition: Condition{"Null": {bears: "false"}, "StringNotEquals": {bears: r.ProjectID}},
		})
	}
	return document(statements...).JSON()
}
