package iampolicy

import (
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr"
)

// Diagnose returns what a diagnosis reads beyond the controller's own rights: the registry's policy, templates,
// pull-through cache rules and signing configuration, the repositories' policies and tags, and the roles with their trust. It changes nothing. It is
// optional, for the controller role or for an operator's. The controller is among the roles if it is known and a role.
func Diagnose(c ecr.Config, o Options) (Document, error) {
	s, err := newScope(c)
	if err != nil {
		return Document{}, err
	}
	roles := s.roles()
	if o.ControllerARN != "" || s.RoleARN != "" {
		controller, err := s.controller(o)
		if err != nil {
			return Document{}, err
		}
		if strings.Contains(controller, ":role/") {
			roles = append(Strings{controller}, roles...)
		}
	}
	return document(MaxIdentity, "repo_prefix",
		Statement{Sid: "ReadRegistry", Effect: "Allow", Action: Strings{ // these take no resource
			"ecr:DescribePullThroughCacheRules", "ecr:DescribeRegistry", "ecr:DescribeRepositoryCreationTemplates", "ecr:GetRegistryPolicy",
			"ecr:GetSigningConfiguration",
		}, Resource: Strings{"*"}},
		Statement{Sid: "ReadRepositories", Effect: "Allow", Action: Strings{
			"ecr:GetRepositoryPolicy", "ecr:ListTagsForResource",
		}, Resource: s.all()},
		Statement{Sid: "ReadRoles", Effect: "Allow", Action: Strings{"iam:GetRole"}, Resource: roles},
	)
}
