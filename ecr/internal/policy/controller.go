package policy

import (
	"maps"
	"slices"
)

// Controller returns the identity policy of the controller role, as which the service runs. With AutoRemove it lets it delete
// this installation's orphans, so that there has to be an Installation then; IAM has to take the keys in Tags.
func (s Setup) Controller() Document {
	keys := slices.Sorted(maps.Keys(s.Tags))
	all := s.AllRepositories()
	allow := func(sid string, actions any, condition Condition) Statement {
		return Statement{Sid: sid, Effect: "Allow", Action: actions, Resource: all, Condition: condition}
	}
	// mark allows tagging, or untagging, what is ours by those keys and no other, and bears none of without. A call that names no key
	// names none but those.
	mark := func(sid, action string, tags []string, without ...string) Statement {
		null := map[string]any{"aws:TagKeys": "false"}
		for _, tag := range without {
			null[resourceTag+tag] = "true"
		}
		return allow(sid, action, Condition{
			"StringEquals": s.own(resourceTag), "ForAllValues:StringEquals": {"aws:TagKeys": tags}, "Null": null,
		})
	}
	created := []string{TagManaged}
	if s.Installation != "" {
		created = append(created, TagInstallation)
	}
	lifecycle := "ecr:DeleteLifecyclePolicy"
	if s.ExpiresImages {
		lifecycle = "ecr:PutLifecyclePolicy"
	}
	statements := []Statement{
		{Sid: "List", Effect: "Allow", Action: "ecr:DescribeRepositories", Resource: s.ARN("*")},
		allow("Read", []string{"ecr:GetLifecyclePolicy", ActionReadPolicy, ActionReadTags}, nil),
		allow("CreateTagged", []string{"ecr:CreateRepository", "ecr:TagResource"}, Condition{
			"StringEquals":              s.own(requestTag),
			"ForAllValues:StringEquals": {"aws:TagKeys": slices.Concat(created, []string{TagProject, TagProjectID}, keys)},
			"Null": {
				requestTag + TagProject: "false", resourceTag + TagManaged: "true", resourceTag + TagInstallation: "true",
			},
		}),
		// What sets an id sets marks and configured tags in the same call, which has to fit one statement.
		mark("MarkOwn", "ecr:TagResource", slices.Concat([]string{TagOrphaned, TagOrphanedAt, TagSuspended}, keys)),
		mark("NameOwner", "ecr:TagResource", slices.Concat([]string{TagProjectID, TagOrphaned, TagOrphanedAt}, keys), TagProjectID),
		mark("UnmarkOwn", "ecr:UntagResource", []string{TagOrphaned, TagOrphanedAt, TagSuspended}),
		allow("ConfigureOwn", slices.Sorted(slices.Values([]string{lifecycle, "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability"})),
			Condition{"StringEquals": s.own(resourceTag)}),
	}
	if s.AutoRemove {
		orphan := s.own(resourceTag)
		orphan[resourceTag+TagOrphaned] = TagTrue
		statements = append(statements, allow("DeleteOwnOrphans", "ecr:DeleteRepository", Condition{"StringEquals": orphan}))
	}
	statements = append(statements, Statement{Sid: "AssumePush", Effect: "Allow", Action: []string{assumeRole, tagSession}, Resource: s.Roles()})
	if s.KMSKeyARN != "" {
		statements = append(statements, s.keyStatements(s.KMSKeyARN)...)
	}
	return document(statements...)
}
