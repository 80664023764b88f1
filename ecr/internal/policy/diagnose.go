package policy

import "slices"

// RegistryReads returns the actions that a diagnosis has use for and issuing credentials hasn't. They take no resource.
func RegistryReads() []string {
	return []string{
		"ecr:DescribePullThroughCacheRules", "ecr:DescribeRepositoryCreationTemplates", "ecr:GetRegistryPolicy", "ecr:GetSigningConfiguration",
	}
}

// Diagnose returns what a diagnosis reads beyond the controller's own rights. The controller is among the roles that may be read
// if it is known and a role.
func (s Setup) Diagnose(controller string) Document {
	roles := s.Roles()
	if IsRoleARN(controller) {
		roles = append([]string{controller}, roles...)
	}
	return document(
		Statement{
			Sid: "ReadRegistry", Effect: "Allow", Resource: "*",
			Action: slices.Sorted(slices.Values(append(RegistryReads(), "ecr:DescribeRegistry"))),
		},
		Statement{Sid: "ReadRepositories", Effect: "Allow", Action: []string{ActionReadPolicy, ActionReadTags}, Resource: s.AllRepositories()},
		Statement{Sid: "ReadRoles", Effect: "Allow", Action: "iam:GetRole", Resource: roles},
	)
}

// DiagnosisSession returns the session policy under which a diagnosis assumes the controller role: what it does with it.
func (s Setup) DiagnosisSession() Document {
	return document(
		Statement{Effect: "Allow", Action: []string{assumeRole, tagSession}, Resource: s.Roles()},
		Statement{Effect: "Allow", Action: []string{"ecr:DescribeRepositories", ActionReadPolicy, ActionReadTags}, Resource: s.ARN("*")},
		Statement{Effect: "Allow", Action: RegistryReads(), Resource: "*"},
	)
}

// RoleTagProbe returns a session policy under which a token can be had only where the role bears none of our tags itself:
// aws:PrincipalTag shows a role's tags in sessions that have none of that key (IAM User Guide, "aws:PrincipalTag/tag-key").
// Whoever reads the role's tags needs iam:GetRole, and the IAM SDK.
func RoleTagProbe() Document {
	d := Allow("*", ActionToken)
	for _, key := range Tags() {
		d.Statement = append(d.Statement, Statement{
			Effect: "Deny", Action: "*", Resource: "*", Condition: Condition{"Null": {principalTag + key: "false"}},
		})
	}
	return d
}
