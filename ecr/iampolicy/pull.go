package iampolicy

import (
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Pull returns the identity policy of the pull role: pulling from all of this installation's repositories, as [Push]
// knows them, and nothing else. It needs pull_role_arn, without which there is no such role.
func Pull(c ecr.Config) (Document, error) {
	s, err := newPullScope(c)
	if err != nil {
		return Document{}, err
	}
	return document(MaxIdentity, "repo_prefix", append([]Statement{
		{Sid: "Token", Effect: "Allow", Action: Strings{actionToken}, Resource: Strings{"*"}},
		{
			Sid: "Pull", Effect: "Allow", Action: pullActions(), Resource: s.all(),
			Condition: map[string]map[string]Strings{"StringEquals": s.own(resourceTag)},
		},
	}, s.guards()...)...)
}

func newPullScope(c ecr.Config) (scope, error) {
	s, err := newScope(c)
	switch {
	case err != nil:
		return scope{}, err
	case s.PullRoleARN == "":
		return scope{}, provider.NewConfigError("pull_role_arn", "is required for the pull role's policies")
	case s.PullRoleARN == s.PushRoleARN:
		return scope{}, provider.NewConfigError("pull_role_arn", "must not be push_role_arn: their rights differ")
	}
	return s, nil
}
