package policy

// PushRole returns the identity policy of the push role: the bound of every session, whatever its session policy.
func (s Setup) PushRole() Document {
	guards := s.guards()
	if s.SessionTags {
		guards = append(guards, s.denyTagged("OtherProject", "StringNotEquals", TagProject, ownProject))
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

// guards are the Denies of the push and the pull role, what no resource-based policy can grant them, and all about the shared
// repositories, which bear none of our tags.
func (s Setup) guards() []Statement {
	mark, value := TagManaged, TagTrue
	if s.Installation != "" {
		mark, value = TagInstallation, s.Installation
	}
	reach := oneOrAll(append([]string{s.AllRepositories()}, s.shared()...))
	return append([]Statement{
		{Sid: "NothingElse", Effect: "Deny", NotAction: ActionToken, NotResource: reach},
		s.denyTagged("OursOnly", "StringNotEquals", mark, value),
		s.denyTagged("NoOrphan", "StringEquals", TagOrphaned, TagTrue),
		s.denyTagged("NoSuspended", "StringEquals", TagSuspended, TagTrue),
	}, s.sharedStatements()...)
}

// SharedStatements returns the parts of the push and the pull role's policies that are about the shared repositories alone. Nobody's
// session writes there, whatever a resource-based policy grants. The roles' other Denies except them.
func (s Setup) SharedStatements() Document { return document(s.sharedStatements()...) }

func (s Setup) sharedStatements() []Statement {
	shared := oneOrAll(s.shared())
	if shared == nil {
		return nil
	}
	return []Statement{
		{Sid: "Shared", Effect: "Allow", Action: pullActions, Resource: shared},
		{Sid: "SharedReadOnly", Effect: "Deny", NotAction: pullSession, Resource: shared},
	}
}

// denyTagged keeps everything but tokens from repositories with, or without, a tag. What is shared is so whatever it bears.
func (s Setup) denyTagged(sid, operator, tag, value string) Statement {
	deny := Statement{
		Sid: sid, Effect: "Deny", NotAction: ActionToken, Resource: "*",
		Condition: Condition{operator: {resourceTag + tag: value}},
	}
	if shared := oneOrAll(s.shared()); shared != nil {
		deny.Resource, deny.NotResource = nil, shared
	}
	return deny
}
