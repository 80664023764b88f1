package iampolicy

import "github.com/rise-deploy/rise-registry-go/ecr"

const actionToken = "ecr:GetAuthorizationToken"

// What docker and its kin call (ECR User Guide, "IAM permissions for pushing/pulling an image").
func pullActions() Strings {
	return Strings{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
}

func pushActions() Strings {
	return append(pullActions(), "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart")
}

// Push returns the identity policy of the push role: the bound of every session, whatever its session policy. It allows
// pushing to and pulling from this installation's repositories that are neither orphaned nor suspended, with session_tags
// only those that bear the session's own rise:project. It denies whatever is outside the prefix, of another
// installation, orphaned or suspended, with session_tags also of another project, so that no resource-based policy can grant it.
//
// Without an installation in the configuration, every repository under the prefix with rise:managed is this
// installation's.
func Push(c ecr.Config) (Document, error) {
	s, err := newScope(c)
	if err != nil {
		return Document{}, err
	}
	ours, guards := s.own(resourceTag), s.guards()
	if s.SessionTags {
		const own = "${aws:PrincipalTag/" + tagProject + "}"
		ours[resourceTag+tagProject] = Strings{own}
		guards = append(guards, deny("OtherProject", "StringNotEquals", tagProject, own))
	}
	return document(MaxIdentity, "repo_prefix", append([]Statement{
		{Sid: "Token", Effect: "Allow", Action: Strings{actionToken}, Resource: Strings{"*"}},
		{
			Sid: "OneProject", Effect: "Allow", Action: pushActions(), Resource: s.all(),
			Condition: map[string]map[string]Strings{"StringEquals": ours, "StringNotEquals": {resourceTag + tagOrphaned: {yes}}},
		},
	}, guards...)...)
}

// deny keeps everything but tokens from repositories with, or without, a tag.
func deny(sid, operator, tag, value string) Statement {
	return Statement{
		Sid: sid, Effect: "Deny", NotAction: Strings{actionToken}, Resource: Strings{"*"},
		Condition: map[string]map[string]Strings{operator: {resourceTag + tag: {value}}},
	}
}

// guards are the Denies of the push and the pull role: what no resource-based policy can grant them.
func (s scope) guards() []Statement {
	mark, value := tagManaged, yes
	if s.Installation != "" {
		mark, value = tagInstallation, s.Installation
	}
	return []Statement{
		{Sid: "NothingElse", Effect: "Deny", NotAction: Strings{actionToken}, NotResource: s.all()},
		deny("OursOnly", "StringNotEquals", mark, value),
		deny("NoOrphan", "StringEquals", tagOrphaned, yes),
		deny("NoSuspended", "StringEquals", tagSuspended, yes),
	}
}
