package hint

import (
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
)

// roleOf is the role that a step assumes, if it does.
func roleOf(s policy.Setup, op string) string {
	switch op {
	case failure.OpAssumeController:
		return s.RoleARN
	case failure.OpAssumePull:
		return s.PullRoleARN
	case failure.OpAssumePush:
		return s.PushRoleARN
	}
	return ""
}

// Trust is what to paste and to run where a role can't be assumed by a caller. It is empty where either isn't known.
func Trust(s policy.Setup, op, caller string) string {
	role := roleOf(s, op)
	if role == "" || caller == "" {
		return ""
	}
	principal := s.PrincipalOf(caller)
	trust := s.PushTrust(principal)
	switch op {
	case failure.OpAssumeController:
		trust = s.ControllerTrust(policy.Trusted{Principals: []string{principal}})
	case failure.OpAssumePull:
		trust = s.PullTrust(principal)
	}
	name := role[strings.LastIndexByte(role, '/')+1:]
	path := ""
	if principal != caller && principal != s.RoleARN {
		path = " (put the role's path, if it has one, before its name)"
	}
	return "See whom the role trusts (a principal that begins with AROA or AIDA was deleted):\n" +
		"aws iam get-role --role-name " + name + " --query Role.AssumeRolePolicyDocument\n" +
		"Trust policy that lets " + principal + path + " in (saving it again also heals a recreated role):\n" +
		trust.Pasteable() + "\n" +
		"Policy for " + principal + ":\n" +
		policy.Assume(role).Pasteable()
}
