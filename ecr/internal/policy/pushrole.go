package policy

// PushRole returns the identity policy of the push role: the bound of every session, whatever its session policy.
func (s Setup) PushRole() Document {
	guards := s.guards()
	if s.SessionTags {
		guards = append(guards, denyTagged("OtherProject", "StringNotEquals", TagProject, ownProject))
	}
	return document(append([]Statement{allowToken(), s.oneProject()}, guards...)...)
}

// PushStatement returns the part of [Setup.PushRole] that lets sessions push. It has its conditions: without them, a session
// would be bound to its project by the session policy alone.
func (s Setup) PushStatement() Document { return document(s.oneProject()) }

// ownProject is the project that the session is tagged with.
const ownProject = "${" + principalTag + TagProject + "}"

func (s Setup) oneProject() Statement {
	ours := s.own(resourceTag)
	if s.SessionTags {
		ours[resourceTag+TagProject] = ownProject
	}
	return Statement{
		Sid: "OneProject", Effect: "Allow", Action: pushActions, Resource: s.AllRepositories(),
		Condition: Condition{"StringEquals": ours, "StringNotEquals": {resourceTag + TagOrphaned: TagTrue}},
	}
}

func allowToken() Statement {
	return Statement{Sid: "Token", Effect: "Allow", Action: ActionToken, Resource: "*"}
}

// guards are the Denies of the push and the pull role: what no resource-based policy can grant them.
func (s Setup) guards() []Statement {
	mark, value := TagManaged, TagTrue
	if s.Installation != "" {
		mark, value = TagInstallation, s.Installation
	}
	return []Statement{
		{Sid: "NothingElse", Effect: "Deny", NotAction: ActionToken, NotResource: s.AllRepositories()},
		denyTagged("OursOnly", "StringNotEquals", mark, value),
		denyTagged("NoOrphan", "StringEquals", TagOrphaned, TagTrue),
		denyTagged("NoSuspended", "StringEquals", TagSuspended, TagTrue),
	}
}

// denyTagged keeps everything but tokens from repositories with, or without, a tag.
func denyTagged(sid, operator, tag, value string) Statement {
	return Statement{
		Sid: sid, Effect: "Deny", NotAction: ActionToken, Resource: "*",
		Condition: Condition{operator: {resourceTag + tag: value}},
	}
}
