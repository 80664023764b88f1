package policy

// PullRole returns the identity policy of the pull role: pulling from all of this installation's repositories and the shared ones, and
// nothing else.
func (s Setup) PullRole() Document {
	return document(append([]Statement{
		allowToken(),
		{
			Sid: "Pull", Effect: "Allow", Action: pullActions, Resource: s.AllRepositories(),
			Condition: Condition{"StringEquals": s.own(resourceTag)},
		},
	}, s.guards()...)...)
}
