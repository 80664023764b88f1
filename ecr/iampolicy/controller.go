package iampolicy

import (
	"maps"
	"slices"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Controller returns the identity policy of the controller role, as which the service runs: it lists repositories, creates
// them with the tags that make them this installation's, marks and configures its own, and assumes the push role (and
// the pull role). With auto_remove it deletes its own that are orphaned; with kms_key_arn it may have ECR use the key.
//
// It may set a lifecycle policy, which deletes images, only where max_image_count or untagged_expire_days is set, and else only
// remove one: so the policy has to follow these keys, before the service does. It may tag with the library's own tags and
// with those in tags, no other; give a repository a project's id, never change one; take off the marks orphaned and suspended,
// no other tag.
//
// What tags say isn't limited, nor what a lifecycle policy does where there is one: whoever takes over the controller can mark
// any repository of this installation as orphaned, and with auto_remove delete it then; with a lifecycle configured have ECR
// delete its images; and make tags mutable. A repository under the prefix that bears neither rise:managed nor
// rise:installation may be tagged as this installation's: ECR has no condition for tagging on creation alone.
// [ServiceControl] keeps others from taking tags off.
//
// auto_remove needs an installation, as releasing a repository does. The keys in tags are in the policy three times, so that some
// 900 characters of them fit, and fewer with a long repo_prefix or long ARNs: more is an error of tags.
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
	// mark allows tagging, or untagging, what is ours by those keys and no other. A call without any names none but those.
	mark := func(sid, action string, tags Strings, null map[string]Strings) Statement {
		return allow(sid, Strings{action}, s.all(), map[string]map[string]Strings{
			"StringEquals": maps.Clone(own), "ForAllValues:StringEquals": {"aws:TagKeys": tags},
			"Null": merge(map[string]Strings{"aws:TagKeys": {"false"}}, null),
		})
	}
	created := Strings{tagManaged}
	if s.Installation != "" {
		created = append(created, tagInstallation)
	}
	lifecycle := "ecr:DeleteLifecyclePolicy"
	if s.MaxImageCount > 0 || s.UntaggedExpireDays > 0 { // such a policy deletes images
		lifecycle = "ecr:PutLifecyclePolicy"
	}
	statements := []Statement{
		allow("List", Strings{"ecr:DescribeRepositories"}, Strings{s.repositories + "*"}, nil),
		allow("Read", Strings{"ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource"}, s.all(), nil),
		allow("CreateTagged", Strings{"ecr:CreateRepository", "ecr:TagResource"}, s.all(), map[string]map[string]Strings{
			"StringEquals":              s.own(requestTag),
			"ForAllValues:StringEquals": {"aws:TagKeys": slices.Concat(created, Strings{tagProject, tagProjectID}, keys)},
			"Null": {
				requestTag + tagProject: {"false"}, resourceTag + tagManaged: {yes}, resourceTag + tagInstallation: {yes},
			},
		}),
		// What sets an id sets marks and configured tags in the same call, which has to fit one statement.
		mark("MarkOwn", "ecr:TagResource", slices.Concat(Strings{tagOrphaned, tagOrphanedAt, tagSuspended}, keys), nil),
		mark("NameOwner", "ecr:TagResource", slices.Concat(Strings{tagProjectID, tagOrphaned, tagOrphanedAt}, keys),
			map[string]Strings{resourceTag + tagProjectID: {yes}}),
		mark("UnmarkOwn", "ecr:UntagResource", Strings{tagOrphaned, tagOrphanedAt, tagSuspended}, nil),
		allow("ConfigureOwn", slices.Sorted(slices.Values(Strings{lifecycle, "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability"})), s.all(),
			map[string]map[string]Strings{"StringEquals": maps.Clone(own)}),
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
	what := "tags"
	if len(keys) == 0 {
		what = "repo_prefix"
	}
	return document(MaxIdentity, what, statements...)
}
