package policy

import (
	"errors"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// MaxSession is how many characters a session policy may have (STS API Reference, AssumeRole).
const MaxSession = 2048

// SessionPolicy returns the session policy of r's session, as JSON. It allows what r's access needs on the project's repository
// (those of the prefix for all projects), and denies everything else, in so many words: an Allow alone doesn't cut what a
// repository's or the registry's policy grants to the session itself or to everybody. The shared repositories can be pulled from
// beside, and nothing more.
//
// With the project's id it also denies the repository from when on that bears another one: tokens can't be revoked, but each use
// of one is decided by the tags of that moment. A repository that bears none is let through, as it may be older than ids are.
//
// r has to be valid.
func (s Setup) SessionPolicy(r provider.Request) (string, error) {
	own := s.RepositoryARN(r.Project)
	if r.AllProjects {
		own = s.AllRepositories()
	}
	actions, allowed := pullActions, pullSession
	if r.Access == provider.Push {
		actions, allowed = pushActions, pushSession
	}
	var resource any = own
	reach, shared := resource, s.shared()
	if shared != nil {
		reach = append([]string{own}, shared...)
	}
	statements := append(make([]Statement, 0, 5),
		Statement{Effect: "Allow", Action: ActionToken, Resource: "*"},
		Statement{Effect: "Allow", Action: actions, Resource: resource},
		Statement{Effect: "Deny", NotAction: ActionToken, NotResource: reach},
		Statement{Effect: "Deny", NotAction: allowed, Resource: "*"},
	)
	if shared != nil {
		statements = append(statements,
			Statement{Effect: "Allow", Action: pullActions, Resource: oneOrAll(shared)},
			Statement{Effect: "Deny", NotAction: pullSession, NotResource: resource},
		)
	}
	if r.ProjectID != "" {
		const bears = resourceTag + TagProjectID
		statements = append(statements, Statement{
			Effect: "Deny", NotAction: ActionToken, Resource: resource,
			Condition: Condition{"Null": {bears: "false"}, "StringNotEquals": {bears: r.ProjectID}},
		})
	}
	return document(statements...).JSON()
}

// SharedThatFit returns how many of the shared repositories, from the first, every session policy has room for, and how long the longest
// gets with all of them: that of a push to a project of the longest name and id.
func (s Setup) SharedThatFit() (fit, longest int, err error) {
	r := provider.Request{
		Project: strings.Repeat("a", provider.MaxProjectLength), ProjectID: strings.Repeat("a", provider.MaxProjectIDLength), Access: provider.Push,
	}
	with := func(shared []string) int {
		s.SharedRepositories = shared
		text, failed := s.SessionPolicy(r)
		err = errors.Join(err, failed)
		return len(text)
	}
	all := s.SharedRepositories
	for fit < len(all) && with(all[:fit+1]) <= MaxSession && err == nil {
		fit++
	}
	return fit, with(all), err
}
