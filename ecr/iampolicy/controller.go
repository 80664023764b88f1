package iampolicy

import (
	"maps"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Controller returns the identity policy of the controller role, as which the service runs: it lists repositories, creates
// them with the tags that make them this installation's, marks and configures its own, and assumes the push role (and
// the pull role). With auto_remove it deletes its own that are orphaned; with kms_key_arn it may have ECR use the key.
//
// A repository under the prefix that bears neither rise:managed nor rise:installation may be tagged as this
// installation's: ECR has no condition for tagging on creation alone. [ServiceControl] keeps others from taking tags off.
//
// auto_remove needs an installation, as releasing a repository does.
func Controller(c ecr.Config) (Document, error) {
	s, err := newScope(c)
	if err != nil {
		return Document{}, err
	}
	if s.AutoRemove && s.Installation == "" {
		return Document{}, provider.NewConfigError("installation", "is required with auto_remove: only repositories that bear its name may be deleted")
	}
	keys, err := s.tagKeys()
	if err != nil {
		return Document{}, err
	}
	own := s.own(resourceTag)
	allow := func(sid string, actions, resources Strings, condition map[string]map[string]Strings) Statement {
		return Statement{Sid: sid, Effect: "Allow", Action: actions, Resource: resources, Condition: condition}
	}
	statements := []Statement{
		allow("List", Strings{"ecr:DescribeRepositories"}, Strings{s.repositories + "*"}, nil),
		allow("Read", Strings{"ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource"}, s.all(), nil),
		allow("CreateTagged", Strings{"ecr:CreateRepository", "ecr:TagResource"}, s.all(), map[string]map[string]Strings{
			"StringEquals": s.own(requestTag),
			"Null": {
				requestTag + tagProject: {"false"}, resourceTag + tagManaged: {yes}, resourceTag + tagInstallation: {yes},
			},
		}),
		allow("MarkOwn", Strings{"ecr:TagResource", "ecr:UntagResource"}, s.all(), map[string]map[string]Strings{
			"StringEquals": maps.Clone(own),
			"ForAllValues:StringEquals": {
				"aws:TagKeys": append(Strings{tagOrphaned, tagOrphanedAt, tagSuspended, tagProjectID}, keys...),
			},
			"Null": {"aws:TagKeys": {"false"}},
		}),
		allow("ConfigureOwn", Strings{
			"ecr:DeleteLifecyclePolicy", "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability", "ecr:PutLifecyclePolicy",
		}, s.all(), map[string]map[string]Strings{"StringEquals": maps.Clone(own)}),
	}
	if s.AutoRemove {
		statements = append(statements, allow("DeleteOwnOrphans", Strings{"ecr:DeleteRepository"}, s.all(), map[string]map[string]Strings{
			"StringEquals": merge(own, map[string]Strings{resourceTag + tagOrphaned: {yes}}),
		}))
	}
	statements = append(statements, allow("AssumePush", Strings{"sts:AssumeRole", "sts:TagSession"}, s.roles(), nil))
	if s.KMSKeyARN != "" {
		statements = append(statements, s.keyStatements(Strings{s.KMSKeyARN})...)
	}
	return document(MaxIdentity, "tags", statements...)
}
