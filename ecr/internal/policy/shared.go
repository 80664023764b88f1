package policy

// Repositories that every project may read. Nobody's session writes there, whatever a resource-based policy grants.

// shared returns their ARNs, nil where there are none.
func (s Setup) shared() []string {
	if len(s.SharedRepositories) == 0 {
		return nil
	}
	arns := make([]string, len(s.SharedRepositories))
	for i, entry := range s.SharedRepositories {
		arns[i] = s.ARN(entry)
	}
	return arns
}

// SharedStatements returns the parts of the push and the pull role's policies that are about these repositories alone. The roles' other
// Denies except them.
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
