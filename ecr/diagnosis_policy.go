package ecr

import (
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/rise-deploy/rise-registry-go/provider"
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

// podIdentityTags are the session tags that EKS Pod Identity passes on.
func podIdentityTags() []string {
	return []string{
		"eks-cluster-arn", "eks-cluster-name", "kubernetes-namespace", "kubernetes-service-account", "kubernetes-pod-name", "kubernetes-pod-uid",
	}
}

// pushStatement is what the push role's own policy has to allow, as package iampolicy makes it: without its conditions, a
// session would be bound to its project by the session policy alone.
func pushStatement(c Config, repositories string) object {
	const resourceTag = "aws:ResourceTag/"
	ours := object{resourceTag + tagManaged: tagTrue}
	if c.Installation != "" {
		ours[resourceTag+tagInstallation] = c.Installation
	}
	if c.SessionTags {
		ours[resourceTag+tagProject] = "${aws:PrincipalTag/" + tagProject + "}"
	}
	s := allow(pushActions, repositories)
	s["Condition"] = object{"StringEquals": ours, "StringNotEquals": object{resourceTag + tagOrphaned: tagTrue}}
	return s
}

// trustRemedy is what to paste and to run where a role can't be assumed. It is empty where the roles aren't known.
func trustRemedy(c Config, op string, r refusal) string {
	role := roleOf(c, op)
	if role == "" || r.caller == "" {
		return ""
	}
	principal := principalOf(c, r.caller)
	assume, equal, id := object{}, object{}, c.ExternalID
	var tags []string
	switch op {
	case opAssumeController:
		id, tags = c.RoleExternalID, podIdentityTags()
	case opAssumePull:
		equal["sts:RoleSessionName"] = sessionName(provider.Request{AllProjects: true, Access: provider.Pull})
		tags = podIdentityTags()
	default:
		assume["StringLike"] = object{"sts:RoleSessionName": []string{"rise-push-*", "rise-pull-*"}}
		if c.SessionTags {
			assume["Null"] = object{"aws:RequestTag/" + tagProject: "false"}
		}
		tags = append([]string{tagProject}, podIdentityTags()...)
	}
	if id != "" {
		equal["sts:ExternalId"] = id
	}
	if len(equal) > 0 {
		assume["StringEquals"] = equal
	}
	trust := func(action string, condition object) object {
		s := object{"Effect": "Allow", "Principal": object{"AWS": principal}, "Action": action}
		if len(condition) > 0 {
			s["Condition"] = condition
		}
		return s
	}
	statements := []object{trust("sts:AssumeRole", assume)}
	if _, _, session := assumedRole(r.caller); op != opAssumeController || session { // sessions may pass tags on, as EKS Pod Identity's do
		statements = append(statements, trust("sts:TagSession", object{"ForAllValues:StringEquals": object{"aws:TagKeys": tags}}))
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
