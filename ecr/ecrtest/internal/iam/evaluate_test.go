package iam_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

const (
	account = "123456789012"
	other   = "999999999999"
	repoA   = "arn:aws:ecr:eu-west-1:123456789012:repository/rise/a"
	repoB   = "arn:aws:ecr:eu-west-1:123456789012:repository/rise/b"
	roleARN = "arn:aws:iam::123456789012:role/Push"
	session = "arn:aws:sts::123456789012:assumed-role/Push/rise-push-a"
	userARN = "arn:aws:iam::123456789012:user/ci"
	roleID  = "AROAEXAMPLEPUSH00001"
	userID  = "AIDAEXAMPLECI0000001"
)

func role() iam.Principal {
	return iam.Principal{ARN: session, RoleARN: roleARN, ID: roleID, Account: account}
}

func user() iam.Principal { return iam.Principal{ARN: userARN, ID: userID, Account: account} }

// policies are documents as they are attached; parse binds their principals as AWS does when they are saved.
type policies struct {
	scp, identity, session, resource []string
	boundary                         string
	trust, limitGrants               bool
}

func (p policies) parse(t *testing.T) iam.Policies {
	t.Helper()
	resource := iam.Repository
	if p.trust {
		resource = iam.Trust
	}
	list := func(documents []string, kind iam.Kind) []*iam.Policy {
		var out []*iam.Policy
		for _, d := range documents {
			one, err := iam.Parse(document(d), kind)
			require.NoError(t, err, d)
			one.Bind(roleARN, roleID)
			one.Bind(userARN, userID)
			out = append(out, one)
		}
		return out
	}
	out := iam.Policies{
		ServiceControl: list(p.scp, iam.Identity), Identity: list(p.identity, iam.Identity),
		Session: list(p.session, iam.Identity), Resource: list(p.resource, resource), Trust: p.trust,
		SessionLimitsGrants: p.limitGrants,
	}
	if p.boundary != "" {
		out.Boundary = list([]string{p.boundary}, iam.Identity)[0]
	}
	return out
}

// document wraps statements into a policy.
func document(statements string) string {
	return `{"Version":"2012-10-17","Statement":[` + statements + `]}`
}

// The statements of which the cases are made.
const (
	allowPut       = `{"Effect":"Allow","Action":"ecr:PutImage","Resource":"` + repoA + `"}`
	allowGet       = `{"Effect":"Allow","Action":"ecr:BatchGetImage","Resource":"` + repoA + `"}`
	denyPut        = `{"Effect":"Deny","Action":"ecr:PutImage","Resource":"*"}`
	allowAll       = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	denyEverything = `{"Effect":"Deny","Action":"*","Resource":"*"}`
	denyOther      = `{"Effect":"Deny","NotAction":"ecr:GetAuthorizationToken","NotResource":"` + repoA + `"},` +
		`{"Effect":"Deny","NotAction":["ecr:GetAuthorizationToken","ecr:PutImage"],"Resource":"*"}`
)

// grantTo is a statement of a repository policy.
func grantTo(principal, more string) string {
	return `{"Effect":"Allow","Action":"ecr:*","Principal":` + principal + more + `}`
}

const (
	toUser    = `{"AWS":"` + userARN + `"}`
	toRole    = `{"AWS":"` + roleARN + `"}`
	toSession = `{"AWS":"` + session + `"}`
	toRoot    = `{"AWS":"arn:aws:iam::123456789012:root"}`
	toAccount = `{"AWS":"123456789012"}`
	toID      = `{"AWS":"` + roleID + `"}`
	toAll     = `"*"`
	toOther   = `{"AWS":"arn:aws:iam::999999999999:root"}`
	ifRoleARN = `,"Condition":{"ArnEquals":{"aws:PrincipalArn":"` + roleARN + `"}}`
	ifOrg     = `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`
	ifOtherID = `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-2"}}`
)

const (
	allowed          = "allowed"
	noSCP            = "implicit deny: service control policy"
	noIdentity       = "implicit deny: identity-based policy"
	noBoundary       = "implicit deny: permissions boundary"
	noSession        = "implicit deny: session policy"
	noResource       = "implicit deny: resource-based policy"
	noTrust          = "implicit deny: role trust policy"
	explicitSCP      = "explicit deny: service control policy"
	explicitIdentity = "explicit deny: identity-based policy"
	explicitBoundary = "explicit deny: permissions boundary"
	explicitSession  = "explicit deny: session policy"
	explicitResource = "explicit deny: resource-based policy"
	explicitTrust    = "explicit deny: role trust policy"
)

type evaluation struct {
	name     string
	who      iam.Principal // default: a session of the role
	action   string        // default: ecr:PutImage
	resource string        // default: repository a
	owner    string        // default: the principal's account
	context  map[string][]string
	policies policies
	want     string
}

func (e evaluation) run(t *testing.T) {
	t.Helper()
	r := iam.Request{Principal: e.who, Action: e.action, Resource: e.resource, Account: e.owner, Context: iam.Context{}}
	if r.Principal == (iam.Principal{}) {
		r.Principal = role()
	}
	if r.Action == "" {
		r.Action = "ecr:PutImage"
	}
	if r.Resource == "" {
		r.Resource = repoA
	}
	if r.Account == "" {
		r.Account = account
	}
	for key, values := range e.context {
		r.Context.Set(key, values...)
	}
	require.Equal(t, e.want, iam.Evaluate(r, e.policies.parse(t)).String())
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	org := map[string][]string{"aws:PrincipalOrgID": {"o-1"}, "aws:PrincipalArn": {roleARN}}
	groups := []struct {
		page  string // of the IAM User Guide
		cases []evaluation
	}{
		{"How AWS enforcement code logic evaluates requests to allow or deny access", []evaluation{
			{name: "no policy", want: noIdentity},
			{name: "identity policy", policies: policies{identity: []string{allowPut}}, want: allowed},
			{name: "another action", policies: policies{identity: []string{allowGet}}, want: noIdentity},
			{name: "second policy allows", policies: policies{identity: []string{allowGet, allowPut}}, want: allowed},
			{name: "another repository", resource: repoB, policies: policies{identity: []string{allowPut}}, want: noIdentity},
			{name: "explicit deny in the identity policy", policies: policies{identity: []string{allowAll, denyPut},
				resource: []string{grantTo(toAll, "")}}, want: explicitIdentity},
			{name: "explicit deny in the session policy", policies: policies{identity: []string{allowAll},
				session: []string{allowAll + "," + denyPut}, resource: []string{grantTo(toSession, "")}}, want: explicitSession},
			{name: "explicit deny in the boundary", policies: policies{identity: []string{allowAll},
				boundary: allowAll + "," + denyPut, resource: []string{grantTo(toSession, "")}}, want: explicitBoundary},
			{name: "explicit deny in a resource policy", policies: policies{identity: []string{allowAll},
				resource: []string{`{"Effect":"Deny","Action":"ecr:PutImage","Principal":"*"}`}}, want: explicitResource},
			{name: "explicit deny in a resource policy, for the role", policies: policies{identity: []string{allowAll},
				resource: []string{`{"Effect":"Deny","Action":"ecr:PutImage","Principal":` + toRole +
					`}`}}, want: explicitResource},
			{name: "explicit deny in a resource policy, for the account", policies: policies{identity: []string{allowAll},
				resource: []string{`{"Effect":"Deny","Action":"ecr:PutImage","Principal":` + toRoot +
					`}`}}, want: explicitResource},
			{name: "explicit deny in a resource policy, for somebody else", policies: policies{identity: []string{allowAll},
				resource: []string{`{"Effect":"Deny","Action":"ecr:PutImage","Principal":` + toUser + `}`}}, want: allowed},
			{name: "explicit deny in a service control policy", policies: policies{identity: []string{allowAll},
				scp: []string{allowAll + "," + denyPut}, resource: []string{grantTo(toAll, "")}}, want: explicitSCP},
			{name: "service control policy is silent", policies: policies{identity: []string{allowAll}, scp: []string{allowGet}},
				want: noSCP},
			{name: "service control policy, for a service", who: iam.Principal{Service: "pods.eks.amazonaws.com"}, action: "sts:AssumeRole",
				resource: roleARN, policies: policies{trust: true, scp: []string{denyEverything, allowGet},
					resource: []string{grant("sts:AssumeRole", `{"Service":"pods.eks.amazonaws.com"}`)}}, want: allowed},
			{name: "service control policy, for an identity provider", who: iam.Principal{Federated: "arn:aws:iam::123456789012:oidc-provider/x"},
				action: "sts:AssumeRoleWithWebIdentity", resource: roleARN, policies: policies{trust: true, scp: []string{denyEverything},
					resource: []string{grant("sts:AssumeRoleWithWebIdentity", `{"Federated":"arn:aws:iam::123456789012:oidc-provider/x"}`)}}, want: allowed},
			{name: "service control policy, for another account's", who: iam.Principal{ARN: "arn:aws:iam::999999999999:user/x", ID: "AIDAEXAMPLEX00000001", Account: other},
				owner: account, policies: policies{scp: []string{denyEverything}, identity: []string{allowAll}, resource: []string{grantTo(toOther, "")}}, want: explicitSCP},
			{name: "service control policy allows", policies: policies{identity: []string{allowPut}, scp: []string{allowAll}},
				want: allowed},
		}},
		{"Policies and permissions in IAM: Session policies", []evaluation{
			{name: "none", policies: policies{identity: []string{allowPut}}, want: allowed},
			{name: "allows", policies: policies{identity: []string{allowAll}, session: []string{allowPut}}, want: allowed},
			{name: "silent", policies: policies{identity: []string{allowAll}, session: []string{allowGet}}, want: noSession},
			{name: "denies", policies: policies{identity: []string{allowAll}, session: []string{allowPut + "," + denyPut}},
				want: explicitSession},
			{name: "allows what the role doesn't", policies: policies{identity: []string{allowGet}, session: []string{allowAll}},
				want: noIdentity},
		}},
		{"Permissions boundaries for IAM entities", []evaluation{
			{name: "allows", policies: policies{identity: []string{allowAll}, boundary: allowPut}, want: allowed},
			{name: "silent", policies: policies{identity: []string{allowAll}, boundary: allowGet}, want: noBoundary},
			{name: "grants nothing", policies: policies{identity: []string{allowGet}, boundary: allowAll}, want: noIdentity},
			{name: "boundary ∩ session policy: both", policies: policies{identity: []string{allowAll}, boundary: allowPut,
				session: []string{allowPut}}, want: allowed},
			{name: "boundary ∩ session policy: session only", policies: policies{identity: []string{allowAll},
				boundary: allowGet,
				session:  []string{allowPut}}, want: noBoundary},
			{name: "boundary ∩ session policy: boundary only", policies: policies{identity: []string{allowAll},
				boundary: allowPut, session: []string{allowGet}}, want: noSession},
			{name: "a grant to the user passes its boundary", who: user(), policies: policies{boundary: allowGet,
				resource: []string{grantTo(toUser, "")}}, want: allowed},
			{name: "a grant to the role is limited by its boundary", policies: policies{boundary: allowGet,
				resource: []string{grantTo(toRole, "")}}, want: noBoundary},
			{name: "NotPrincipal denies everybody with a boundary", policies: policies{identity: []string{allowAll},
				boundary: allowAll, resource: []string{`{"Effect":"Deny","Action":"*","NotPrincipal":{"AWS":["123456789012","` +
					roleARN + `","` + session + `"]}}`}}, want: explicitResource},
			{name: "NotPrincipal spares who is named in full", policies: policies{identity: []string{allowAll},
				resource: []string{`{"Effect":"Deny","Action":"*","NotPrincipal":{"AWS":["123456789012","` + roleARN + `","` +
					session + `"]}}`}}, want: allowed},
			{name: "NotPrincipal denies a session whose role alone is named", policies: policies{identity: []string{allowAll},
				resource: []string{`{"Effect":"Deny","Action":"*","NotPrincipal":` + toRole + `}`}}, want: explicitResource},
		}},
		{"Policy evaluation for requests within a single account: resource-based policies", []evaluation{
			{name: "grant to the user", who: user(), policies: policies{resource: []string{grantTo(toUser, "")}}, want: allowed},
			{name: "grant to another user", policies: policies{resource: []string{grantTo(toUser, "")}}, want: noIdentity},
			{name: "grant to the role, no session policy", policies: policies{resource: []string{grantTo(toRole, "")}},
				want: allowed},
			{name: "grant to the role's unique id", policies: policies{resource: []string{grantTo(toID, "")}}, want: allowed},
			{name: "grant to the role, session policy silent", policies: policies{session: []string{allowGet},
				resource: []string{grantTo(toRole, "")}}, want: noSession},
			{name: "grant to the role, session policy allows", policies: policies{session: []string{allowPut},
				resource: []string{grantTo(toRole, "")}}, want: allowed},
			{name: "grant to the role, another repository, session's Denies", resource: repoB, policies: policies{
				session: []string{allowPut + "," + denyOther}, resource: []string{grantTo(toRole, "")}}, want: explicitSession},
			{name: "grant to the session passes an Allow-only session policy", resource: repoB, policies: policies{
				session: []string{allowPut}, resource: []string{grantTo(toSession, "")}}, want: allowed},
			{name: "grant to the session, limited in the other mode", resource: repoB, policies: policies{
				session: []string{allowPut}, resource: []string{grantTo(toSession, "")}, limitGrants: true}, want: noSession},
			{name: "grant to the session, session's Denies", resource: repoB, policies: policies{
				session: []string{allowPut + "," + denyOther}, resource: []string{grantTo(toSession, "")}}, want: explicitSession},
			{name: "grant to another session of the role", who: iam.Principal{ARN: session + "x", RoleARN: roleARN, ID: roleID,
				Account: account}, policies: policies{resource: []string{grantTo(toSession, "")}}, want: noIdentity},
			{name: "grant to root only delegates: identity silent", policies: policies{resource: []string{grantTo(toRoot, "")}},
				want: noIdentity},
			{name: "grant to root only delegates: identity allows", policies: policies{identity: []string{allowPut},
				resource: []string{grantTo(toRoot, "")}}, want: allowed},
			{name: "grant to root doesn't pass the session policy", policies: policies{identity: []string{allowPut},
				session: []string{allowGet}, resource: []string{grantTo(toRoot, "")}}, want: noSession},
			{name: "grant to the account id is one to root", policies: policies{resource: []string{grantTo(toAccount, "")}},
				want: noIdentity},
			{name: "grant to * passes an Allow-only session policy", resource: repoB, policies: policies{
				session: []string{allowPut}, resource: []string{grantTo(toAll, "")}}, want: allowed},
			{name: "grant to *, limited in the other mode", resource: repoB, policies: policies{
				session: []string{allowPut}, resource: []string{grantTo(toAll, "")}, limitGrants: true}, want: noSession},
			{name: "grant to *, session's Denies", resource: repoB, policies: policies{
				session: []string{allowPut + "," + denyOther}, resource: []string{grantTo(toAll, "")}}, want: explicitSession},
			{name: "grant to * with PrincipalArn passes an Allow-only session policy", resource: repoB, context: org,
				policies: policies{session: []string{allowPut}, resource: []string{grantTo(toAll, ifRoleARN)}}, want: allowed},
			{name: "grant to * with PrincipalArn, session's Denies", resource: repoB, context: org, policies: policies{
				session: []string{allowPut + "," + denyOther}, resource: []string{grantTo(toAll, ifRoleARN)}},
				want: explicitSession},
			{name: "grant to * with PrincipalOrgID passes an Allow-only session policy", resource: repoB, context: org,
				policies: policies{session: []string{allowPut}, resource: []string{grantTo(toAll, ifOrg)}}, want: allowed},
			{name: "grant to * with PrincipalOrgID, session's Denies", resource: repoB, context: org, policies: policies{
				session: []string{allowPut + "," + denyOther}, resource: []string{grantTo(toAll, ifOrg)}}, want: explicitSession},
			{name: "grant to * with another PrincipalOrgID", context: org, policies: policies{
				resource: []string{grantTo(toAll, ifOtherID)}}, want: noIdentity},
			{name: "grant by the second of two resource policies (the registry's)", policies: policies{
				resource: []string{grantTo(toUser, ""), grantTo(toSession, `,"Resource":"*"`)}}, want: allowed},
			{name: "grant of the registry policy to another repository", policies: policies{
				resource: []string{grantTo(toSession, `,"Resource":"`+repoB+`"`)}}, want: noIdentity},
			{name: "the session's Denies leave its own repository", policies: policies{identity: []string{allowPut},
				session: []string{allowPut + "," + denyOther}}, want: allowed},
			{name: "the session's Denies leave its own actions only", action: "ecr:BatchDeleteImage", policies: policies{
				identity: []string{allowAll}, session: []string{allowPut + "," + denyOther},
				resource: []string{grantTo(toSession, "")}}, want: explicitSession},
		}},
		{"Cross-account policy evaluation logic", []evaluation{
			{name: "resource policy alone", owner: other, policies: policies{resource: []string{grantTo(toRole, "")}},
				want: noIdentity},
			{name: "identity policy alone", owner: other, policies: policies{identity: []string{allowAll}}, want: noResource},
			{name: "both, role", owner: other, policies: policies{identity: []string{allowAll},
				resource: []string{grantTo(toRole, "")}}, want: allowed},
			{name: "both, user", who: user(), owner: other, policies: policies{identity: []string{allowAll},
				resource: []string{grantTo(toUser, "")}}, want: allowed},
			{name: "both, root", owner: other, policies: policies{identity: []string{allowAll},
				resource: []string{grantTo(toRoot, "")}}, want: allowed},
			{name: "both, *", owner: other, policies: policies{identity: []string{allowAll},
				resource: []string{grantTo(toAll, "")}}, want: allowed},
			{name: "grant to the session doesn't pass the session policy", owner: other, policies: policies{
				identity: []string{allowAll}, session: []string{allowGet}, resource: []string{grantTo(toSession, "")}},
				want: noSession},
			{name: "grant to * with PrincipalOrgID alone", owner: other, context: org, policies: policies{
				resource: []string{grantTo(toAll, ifOrg)}}, want: noIdentity},
			{name: "both, * with PrincipalOrgID", owner: other, context: org, policies: policies{identity: []string{allowAll},
				resource: []string{grantTo(toAll, ifOrg)}}, want: allowed},
			{name: "both, * with PrincipalArn", owner: other, context: org, policies: policies{identity: []string{allowAll},
				resource: []string{grantTo(toAll, ifRoleARN)}}, want: allowed},
			{name: "both, session's Denies", owner: other, resource: repoB, policies: policies{identity: []string{allowAll},
				session: []string{allowPut + "," + denyOther}, resource: []string{grantTo(toAll, "")}}, want: explicitSession},
			{name: "grant to another account", owner: other, policies: policies{identity: []string{allowAll},
				resource: []string{grantTo(toOther, "")}}, want: noResource},
		}},
		{"IAM roles: trust policies, role chaining", []evaluation{
			{name: "trust is needed within an account too", action: "sts:AssumeRole", policies: policies{trust: true,
				identity: []string{allowAll}, resource: []string{grant("sts:AssumeRole", toUser)}}, want: noTrust},
			{name: "trust of the principal suffices within an account", action: "sts:AssumeRole", policies: policies{trust: true,
				resource: []string{grant("sts:AssumeRole", toRole)}}, want: allowed},
			{name: "trust of root needs an identity policy", action: "sts:AssumeRole", policies: policies{trust: true,
				resource: []string{grant("sts:AssumeRole", toRoot)}}, want: noIdentity},
			{name: "trust of root lets in who has sts:AssumeRole", action: "sts:AssumeRole", policies: policies{trust: true,
				identity: []string{allowAll}, resource: []string{grant("sts:AssumeRole", toRoot)}}, want: allowed},
			{name: "trust across accounts needs both", action: "sts:AssumeRole", owner: other, policies: policies{trust: true,
				resource: []string{grant("sts:AssumeRole", toRole)}}, want: noIdentity},
			{name: "trust without sts:TagSession", action: "sts:TagSession", policies: policies{trust: true,
				identity: []string{allowAll}, resource: []string{grant("sts:AssumeRole", toRole)}}, want: noTrust},
			{name: "explicit deny in the trust policy", action: "sts:AssumeRole", policies: policies{trust: true,
				identity: []string{allowAll}, resource: []string{grant("sts:AssumeRole", toRole) +
					`,{"Effect":"Deny","Action":"sts:*","Principal":"*"}`}}, want: explicitTrust},
			{name: "a service", who: iam.Principal{Service: "pods.eks.amazonaws.com"}, action: "sts:AssumeRole",
				policies: policies{trust: true, resource: []string{grant("sts:AssumeRole",
					`{"Service":"pods.eks.amazonaws.com"}`)}}, want: allowed},
			{name: "another service", who: iam.Principal{Service: "ec2.amazonaws.com"}, action: "sts:AssumeRole",
				policies: policies{trust: true, resource: []string{grant("sts:AssumeRole",
					`{"Service":"pods.eks.amazonaws.com"}`)}}, want: noTrust},
			{name: "a role isn't a service", action: "sts:AssumeRole", policies: policies{trust: true,
				resource: []string{grant("sts:AssumeRole", `{"Service":"pods.eks.amazonaws.com"}`)}}, want: noTrust},
			{name: "an identity provider", who: iam.Principal{Federated: "arn:aws:iam::123456789012:oidc-provider/ISS"},
				action: "sts:AssumeRoleWithWebIdentity", policies: policies{trust: true,
					resource: []string{grant("sts:AssumeRoleWithWebIdentity",
						`{"Federated":"arn:aws:iam::123456789012:oidc-provider/ISS"}`)}}, want: allowed},
		}},
		{"IAM JSON policy elements: Action, NotAction, Resource, NotResource", []evaluation{
			{name: "* crosses /", resource: "arn:aws:ecr:eu-west-1:123456789012:repository/rise/team/a", policies: policies{
				identity: []string{allow("ecr:PutImage", "arn:aws:ecr:eu-west-1:123456789012:repository/rise/*")}}, want: allowed},
			{name: "a prefix without slash includes its namesakes",
				resource: "arn:aws:ecr:eu-west-1:123456789012:repository/rise2/a",
				policies: policies{identity: []string{allow("ecr:PutImage",
					"arn:aws:ecr:eu-west-1:123456789012:repository/rise*")}},
				want: allowed},
			{name: "a prefix with slash doesn't", resource: "arn:aws:ecr:eu-west-1:123456789012:repository/rise2/a",
				policies: policies{identity: []string{allow("ecr:PutImage",
					"arn:aws:ecr:eu-west-1:123456789012:repository/rise/*")}},
				want: noIdentity},
			{name: "listing is on the literal repository/*", action: "ecr:DescribeRepositories",
				resource: "arn:aws:ecr:eu-west-1:123456789012:repository/*", policies: policies{
					identity: []string{allow("ecr:DescribeRepositories", "arn:aws:ecr:eu-west-1:123456789012:repository/*")}},
				want: allowed},
			{name: "listing isn't allowed by a prefix", action: "ecr:DescribeRepositories",
				resource: "arn:aws:ecr:eu-west-1:123456789012:repository/*", policies: policies{
					identity: []string{allow("ecr:DescribeRepositories", "arn:aws:ecr:eu-west-1:123456789012:repository/rise/*")}},
				want: noIdentity},
			{name: "? is one character", policies: policies{
				identity: []string{allow("ecr:PutImage", "arn:aws:ecr:eu-west-1:123456789012:repository/rise/?")}}, want: allowed},
			{name: "? isn't none", policies: policies{identity: []string{allow("ecr:PutImage", repoA+"?")}}, want: noIdentity},
			{name: "actions ignore case", policies: policies{identity: []string{allow("ECR:putIMAGE", repoA)}}, want: allowed},
			{name: "actions have wildcards", policies: policies{identity: []string{allow("ecr:Put*", repoA)}}, want: allowed},
			{name: "? in actions", policies: policies{identity: []string{allow("ecr:PutImag?", repoA)}}, want: allowed},
			{name: "resources don't ignore case", resource: strings.ToUpper(repoA), policies: policies{
				identity: []string{allow("ecr:PutImage", repoA)}}, want: noIdentity},
			{name: "another partition", resource: strings.Replace(repoA, "arn:aws:", "arn:aws-cn:", 1), policies: policies{
				identity: []string{allow("ecr:PutImage", repoA)}}, want: noIdentity},
			{name: "NotAction allows others", policies: policies{
				identity: []string{`{"Effect":"Allow","NotAction":"ecr:Batch*","Resource":"*"}`}}, want: allowed},
			{name: "NotAction leaves its own out", action: "ecr:BatchGetImage", policies: policies{
				identity: []string{`{"Effect":"Allow","NotAction":"ecr:Batch*","Resource":"*"}`}}, want: noIdentity},
			{name: "NotResource denies others", resource: repoB, policies: policies{identity: []string{allowAll + `,` +
				`{"Effect":"Deny","Action":"*","NotResource":"` + repoA + `"}`}}, want: explicitIdentity},
			{name: "NotResource leaves its own out", policies: policies{identity: []string{allowAll + `,` +
				`{"Effect":"Deny","Action":"*","NotResource":["` + repoA + `","` + repoB + `"]}`}}, want: allowed},
			{name: "an incomplete ARN is completed with *", policies: policies{identity: []string{allow("ecr:PutImage", "arn:aws:ecr")}},
				want: allowed},
			{name: "an incomplete ARN of another service", policies: policies{identity: []string{allow("ecr:PutImage", "arn:aws:s3")}},
				want: noIdentity},
			{name: "an incomplete ARN with a variable", context: map[string][]string{"aws:RequestedRegion": {"eu-west-1"}}, policies: policies{
				identity: []string{allow("ecr:PutImage", "arn:aws:ecr:${aws:RequestedRegion}")}}, want: allowed},
			{name: "an incomplete ARN in NotResource", policies: policies{identity: []string{allowAll + `,` +
				`{"Effect":"Deny","Action":"*","NotResource":"arn:aws:ecr:eu-west-1"}`}}, want: allowed},
			{name: "an incomplete ARN in NotResource, another region", policies: policies{identity: []string{allowAll + `,` +
				`{"Effect":"Deny","Action":"*","NotResource":"arn:aws:ecr:eu-west-2"}`}}, want: explicitIdentity},
			{name: "a complete ARN isn't a prefix", policies: policies{identity: []string{allow("ecr:PutImage",
				"arn:aws:ecr:eu-west-1:123456789012:repository")}}, want: noIdentity},
			{name: "GetAuthorizationToken is on *, which no ARN matches", action: "ecr:GetAuthorizationToken", resource: "*",
				policies: policies{identity: []string{allow("ecr:*", "arn:aws:ecr:*")}}, want: noIdentity},
		}},
		{"Actions, resources, and condition keys for Amazon ECR: what the image registry needs", []evaluation{
			{name: "tags/list needs ListImages", action: "ecr:ListImages", policies: policies{identity: []string{allowAll},
				session: []string{pull + "," + denyButPull}}, want: explicitSession},
			{name: "manifest DELETE needs BatchDeleteImage", action: "ecr:BatchDeleteImage", policies: policies{
				identity: []string{allowAll}, session: []string{pull + "," + denyButPull}}, want: explicitSession},
			{name: "referrers need BatchGetImage", action: "ecr:BatchGetImage", policies: policies{identity: []string{allowAll},
				session: []string{pull + "," + denyButPull}}, want: allowed},
			{name: "blob mount reads the source: with the right", action: "ecr:GetDownloadUrlForLayer", resource: repoB,
				policies: policies{identity: []string{allowAll}}, want: allowed},
			{name: "blob mount reads the source: without the right", action: "ecr:GetDownloadUrlForLayer", resource: repoB,
				policies: policies{identity: []string{allowAll}, session: []string{pull + "," +
					denyButPull}}, want: explicitSession},
		}},
	}
	for _, group := range groups {
		t.Run(group.page, func(t *testing.T) {
			t.Parallel()
			for _, e := range group.cases {
				t.Run(e.name, func(t *testing.T) {
					t.Parallel()
					e.run(t)
				})
			}
		})
	}
}

const (
	pull = `{"Effect":"Allow","Action":["ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],` +
		`"Resource":"` + repoA + `"}`
	denyButPull = `{"Effect":"Deny","NotAction":"ecr:GetAuthorizationToken","NotResource":"` + repoA + `"},` +
		`{"Effect":"Deny","NotAction":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:BatchGetImage",` +
		`"ecr:GetDownloadUrlForLayer"],"Resource":"*"}`
)

func allow(action, resource string) string {
	return `{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"}`
}

func grant(action, principal string) string {
	return `{"Effect":"Allow","Action":"` + action + `","Principal":` + principal + `}`
}

// The IAM User Guide, "IAM identifiers: Unique identifiers": a policy names the user or role that there was when it was
// saved, and a role that is made again isn't that one.
func TestRecreatedRole(t *testing.T) {
	t.Parallel()
	trust, err := iam.Parse(document(grant("sts:AssumeRole", toRole)), iam.Trust)
	require.NoError(t, err)
	decide := func(id string) bool {
		who := role()
		who.ID = id
		return iam.Evaluate(iam.Request{Principal: who, Action: "sts:AssumeRole",
			Resource: "arn:aws:iam::123456789012:role/T",
			Account:  account}, iam.Policies{Resource: []*iam.Policy{trust}, Trust: true}).Allowed
	}
	require.False(t, decide(roleID), "no role of that name was there yet")
	trust.Bind(roleARN, roleID)
	require.True(t, decide(roleID))
	trust.Bind(roleARN, "AROAEXAMPLEPUSH00002")
	require.True(t, decide(roleID), "a name that is bound stays so")
	require.False(t, decide("AROAEXAMPLEPUSH00002"))
}

// A role doesn't trust itself unless its trust policy says so: "Announcing an update to IAM role trust policy
// behavior", AWS Security Blog.
func TestSelfAssumption(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		trust string
		want  string
	}{
		{grant("sts:AssumeRole", toUser), noTrust},
		{grant("sts:AssumeRole", toRole), allowed},
	} {
		evaluation{action: "sts:AssumeRole", resource: roleARN, policies: policies{trust: true, identity: []string{allowAll},
			resource: []string{test.trust}}, want: test.want}.run(t)
	}
}

func TestBecause(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		decision iam.Decision
		want     string
	}{
		{iam.Decision{Layer: iam.IdentityLayer}, "because no identity-based policy allows the ecr:PutImage action"},
		{iam.Decision{Layer: iam.SessionLayer}, "because no session policy allows the ecr:PutImage action"},
		{iam.Decision{Layer: iam.BoundaryLayer}, "because no permissions boundary allows the ecr:PutImage action"},
		{iam.Decision{Layer: iam.ResourceLayer}, "because no resource-based policy allows the ecr:PutImage action"},
		{iam.Decision{Layer: iam.ServiceControlLayer}, "because no service control policy allows the ecr:PutImage action"},
		{iam.Decision{Layer: iam.TrustLayer}, "because no role trust policy allows the ecr:PutImage action"},
		{iam.Decision{Layer: iam.IdentityLayer, Explicit: true}, "with an explicit deny in an identity-based policy"},
		{iam.Decision{Layer: iam.SessionLayer, Explicit: true}, "with an explicit deny in a session policy"},
		{iam.Decision{Layer: iam.TrustLayer, Explicit: true}, "with an explicit deny in the role trust policy"},
	} {
		require.Equal(t, test.want, test.decision.Because("ecr:PutImage"))
	}
}
