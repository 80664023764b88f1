package policy

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// PushTrust returns the trust policy of the push role: the controller alone, for sessions named as this library names them, with
// ExternalID if set, and with SessionTags only when they are tagged with a project.
func (s Setup) PushTrust(controller string) Document {
	condition := Condition{"StringLike": {"sts:RoleSessionName": []string{"rise-push-*", "rise-pull-*"}}}
	if s.ExternalID != "" {
		condition["StringEquals"] = map[string]any{"sts:ExternalId": s.ExternalID}
	}
	if s.SessionTags {
		condition["Null"] = map[string]any{requestTag + TagProject: "false"}
	}
	return trustOne(controller, condition, append([]string{TagProject}, podIdentityTags()...))
}

// PullTrust returns the trust policy of the pull role: the controller alone, for the session of the registry-wide pull
// credential, with ExternalID if set.
func (s Setup) PullTrust(controller string) Document {
	equal := map[string]any{"sts:RoleSessionName": "rise-pull-@all"}
	if s.ExternalID != "" {
		equal["sts:ExternalId"] = s.ExternalID
	}
	return trustOne(controller, Condition{"StringEquals": equal}, podIdentityTags())
}

func trustOne(principal string, condition Condition, tags []string) Document {
	who := map[string]any{"AWS": principal}
	return document(trust("Assume", who, assumeRole, condition), tagging(who, tags))
}

// A Trusted says who may assume the controller role: any of these.
type Trusted struct {
	// IRSA and PodIdentity are service accounts; zero is none.
	IRSA        IRSA
	PodIdentity PodIdentity
	// Principals are the ARNs of roles and users. They need RoleExternalID, if set.
	Principals []string
	// Services of AWS run the service as the controller role: see Service.
	Services []Service
}

// A Service is one of AWS's that runs programs, by the first part of its principal's name.
type Service string

// The services that a program's role may trust. Their principals end in amazonaws.com in every partition: IAM of the European one refuses
// ec2.amazonaws.eu, and those of China and the isolated ones have former names besides.
const (
	ECSTasks Service = "ecs-tasks"
	EC2      Service = "ec2"
	Lambda   Service = "lambda"
)

// sid is the statement's. "" is none of the services.
func (s Service) sid() string {
	return map[Service]string{ECSTasks: "ECSTasks", EC2: "EC2", Lambda: "Lambda"}[s]
}

// Known reports whether s is one of the services.
func (s Service) Known() bool { return s.sid() != "" }

// trustService trusts a service for resources of this account alone. ECS documents that it says whose task it is. EC2 doesn't say whose instance it is,
// and Lambda says whose function it is in some calls at least: what a condition demands without IfExists would lock the service out. Both take roles of
// their own account alone, as iam:PassRole doesn't cross accounts.
func (s Setup) trustService(service Service) Statement {
	operator := "StringEqualsIfExists"
	if service == ECSTasks {
		operator = "StringEquals"
	}
	return trust(service.sid(), map[string]any{"Service": string(service) + ".amazonaws.com"}, assumeRole,
		Condition{operator: {"aws:SourceAccount": s.AccountID}})
}

// IRSA is a service account of a cluster with an OpenID Connect provider.
type IRSA struct{ ProviderARN, Namespace, ServiceAccount string }

// PodIdentity is a service account of an EKS cluster.
type PodIdentity struct{ ClusterARN, Namespace, ServiceAccount string }

// ControllerTrust returns the trust policy of the controller role. Its ARNs have to be right.
func (s Setup) ControllerTrust(t Trusted) Document {
	var statements []Statement
	if i := t.IRSA; i != (IRSA{}) {
		_, issuer, _ := strings.Cut(i.ProviderARN, ":oidc-provider/")
		statements = append(statements, trust("IRSA", map[string]any{"Federated": i.ProviderARN}, "sts:AssumeRoleWithWebIdentity",
			Condition{"StringEquals": {
				issuer + ":aud": "sts.amazonaws.com",
				issuer + ":sub": "system:serviceaccount:" + i.Namespace + ":" + i.ServiceAccount,
			}}))
	}
	if p := t.PodIdentity; p != (PodIdentity{}) {
		statements = append(statements, trust("PodIdentity", map[string]any{"Service": "pods.eks.amazonaws.com"}, []string{assumeRole, tagSession},
			Condition{"StringEquals": {
				requestTag + "eks-cluster-arn":            p.ClusterARN,
				requestTag + "kubernetes-namespace":       p.Namespace,
				requestTag + "kubernetes-service-account": p.ServiceAccount,
			}}))
	}
	if len(t.Principals) > 0 {
		var condition Condition
		if s.RoleExternalID != "" {
			condition = Condition{"StringEquals": {"sts:ExternalId": s.RoleExternalID}}
		}
		who := map[string]any{"AWS": t.Principals}
		if len(t.Principals) == 1 {
			who["AWS"] = t.Principals[0]
		}
		statements = append(statements, trust("Assume", who, assumeRole, condition))
		if slices.ContainsFunc(t.Principals, IsRoleARN) {
			statements = append(statements, tagging(who, podIdentityTags()))
		}
	}
	for _, service := range t.Services {
		statements = append(statements, s.trustService(service))
	}
	return document(statements...)
}

func trust(sid string, principal map[string]any, actions any, condition Condition) Statement {
	return Statement{Sid: sid, Effect: "Allow", Principal: principal, Action: actions, Condition: condition}
}

// tagging lets the session be tagged with these keys, and no other.
func tagging(principal map[string]any, keys []string) Statement {
	return trust("Tag", principal, tagSession, Condition{"ForAllValues:StringEquals": {"aws:TagKeys": keys}})
}

// podIdentityTags are the session tags that EKS Pod Identity sets. They are transitive: every role that is assumed from
// there must let its session be tagged with them (EKS User Guide, "Grant Pods access to AWS resources based on tags").
func podIdentityTags() []string {
	return []string{
		"eks-cluster-arn", "eks-cluster-name", "kubernetes-namespace", "kubernetes-service-account", "kubernetes-pod-name",
		"kubernetes-pod-uid",
	}
}

// PrincipalOf is what a trust policy names for a caller: a user as it is, a session's role.
func (s Setup) PrincipalOf(caller string) string {
	account, role, ok := AssumedRole(caller)
	if !ok {
		return caller
	}
	if s.RoleARN != "" && strings.HasSuffix(s.RoleARN, "/"+role) && strings.Contains(s.RoleARN, "::"+account+":") {
		return s.RoleARN // with its path, which sessions don't have
	}
	a, err := arn.Parse(caller)
	if err != nil {
		return caller
	}
	return "arn:" + a.Partition + ":iam::" + account + ":role/" + role
}
