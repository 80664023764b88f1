package policy

// User returns the only policy of a user for services outside AWS: it may assume the controller role and nothing else.
func User(controller string) Document {
	return document(Statement{Sid: "Assume", Effect: "Allow", Action: assumeRole, Resource: controller})
}

// Assume returns the policy that lets somebody assume a role, with tags.
func Assume(role string) Document { return Allow(role, assumeRole, tagSession) }
