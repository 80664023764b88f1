package ecr

import (
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// Remedies hold statements as an operator can paste them. They have few keys, so they are maps, which encoding/json sorts.
type object = map[string]any

func allow(actions []string, resource any) object {
	return object{"Effect": "Allow", "Action": actions, "Resource": resource}
}

func policyOf(statements ...object) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object{"Version": "2012-10-17", "Statement": statements}); err != nil {
		return "" // texts and lists of them: never
	}
	return strings.TrimSpace(b.String())
}

// roleOf is the role that a step assumes, if it does.
func roleOf(c Config, op string) string {
	switch op {
	case opAssumeController:
		return c.RoleARN
	case opAssumePull:
		return c.PullRoleARN
	case opAssumePush:
		return c.PushRoleARN
	}
	return ""
}

// principalOf is what a trust policy names for a caller: a user as it is, a session's role.
func principalOf(c Config, caller string) string {
	account, role, ok := assumedRole(caller)
	if !ok {
		return caller
	}
	if c.RoleARN != "" && strings.HasSuffix(c.RoleARN, "/"+role) && strings.Contains(c.RoleARN, "::"+account+":") {
		return c.RoleARN // with its path, which sessions don't have
	}
	a, err := arn.Parse(caller)
	if err != nil {
		return caller
	}
	return "arn:" + a.Partition + ":iam::" + account + ":role/" + role
}

// trustRemedy is what to paste and to run where a role can't be assumed. It is empty where the roles aren't known.
func trustRemedy(c Config, op string, r refusal) string {
	role := roleOf(c, op)
	if role == "" || r.caller == "" {
		return ""
	}
	principal := principalOf(c, r.caller)
	assume, id := object{}, c.ExternalID
	if op == opAssumeController {
		id = c.RoleExternalID
	} else {
		assume["StringLike"] = object{"sts:RoleSessionName": []string{"rise-push-*", "rise-pull-*"}}
		if c.SessionTags && op != opAssumePull {
			assume["Null"] = object{"aws:RequestTag/" + tagProject: "false"}
		}
	}
	if id != "" {
		assume["StringEquals"] = object{"sts:ExternalId": id}
	}
	trust := func(action string, condition object) object {
		s := object{"Effect": "Allow", "Principal": object{"AWS": principal}, "Action": action}
		if len(condition) > 0 {
			s["Condition"] = condition
		}
		return s
	}
	statements := []object{trust("sts:AssumeRole", assume)}
	if op != opAssumeController {
		statements = append(statements, trust("sts:TagSession", nil))
	}
	name := role[strings.LastIndexByte(role, '/')+1:]
	path := ""
	if principal != r.caller && principal != c.RoleARN {
		path = " (put the role's path, if it has one, before its name)"
	}
	return "See whom the role trusts (a principal that begins with AROA or AIDA was deleted):\n" +
		"aws iam get-role --role-name " + name + " --query Role.AssumeRolePolicyDocument\n" +
		"Trust policy that lets " + principal + path + " in (saving it again also heals a recreated role):\n" +
		policyOf(statements...) + "\n" +
		"Policy for " + principal + ":\n" +
		policyOf(allow([]string{"sts:AssumeRole", "sts:TagSession"}, role))
}
