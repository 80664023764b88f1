package iampolicy

import (
	"errors"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// podIdentityTags are the session tags that EKS Pod Identity sets. They are transitive: every role that is assumed from
// there must let its session be tagged with them (EKS User Guide, "Grant Pods access to AWS resources based on tags").
func podIdentityTags() Strings {
	return Strings{
		"eks-cluster-arn", "eks-cluster-name", "kubernetes-namespace", "kubernetes-service-account", "kubernetes-pod-name",
		"kubernetes-pod-uid",
	}
}

// PushTrust returns the trust policy of the push role: the controller alone, for sessions named as this library names
// them, with external_id if set, and with session_tags only when they are tagged with a project.
//
// IAM keeps the controller's unique id in place of its ARN: after the controller role was deleted and made again, this
// policy has to be saved again.
func PushTrust(c ecr.Config, o Options) (Document, error) {
	s, err := newScope(c)
	if err != nil {
		return Document{}, err
	}
	condition := map[string]map[string]Strings{"StringLike": {"sts:RoleSessionName": {"rise-push-*", "rise-pull-*"}}}
	if s.ExternalID != "" {
		condition["StringEquals"] = map[string]Strings{"sts:ExternalId": {s.ExternalID}}
	}
	if s.SessionTags {
		condition["Null"] = map[string]Strings{requestTag + tagProject: {"false"}}
	}
	return s.trustController(o, condition, append(Strings{tagProject}, podIdentityTags()...))
}

// PullTrust returns the trust policy of the pull role: the controller alone, for the session of the registry-wide pull
// credential, with external_id if set. It needs pull_role_arn. [PushTrust] has a word on recreated roles.
func PullTrust(c ecr.Config, o Options) (Document, error) {
	s, err := newPullScope(c)
	if err != nil {
		return Document{}, err
	}
	equal := map[string]Strings{"sts:RoleSessionName": {"rise-pull-@all"}}
	if s.ExternalID != "" {
		equal["sts:ExternalId"] = Strings{s.ExternalID}
	}
	return s.trustController(o, map[string]map[string]Strings{"StringEquals": equal}, podIdentityTags())
}

func (s scope) trustController(o Options, condition map[string]map[string]Strings, tags Strings) (Document, error) {
	controller, err := s.controller(o)
	if err != nil {
		return Document{}, err
	}
	return document(MaxTrust, "controller_arn",
		trust("Assume", map[string]Strings{"AWS": {controller}}, Strings{"sts:AssumeRole"}, condition),
		tagging(map[string]Strings{"AWS": {controller}}, tags),
	)
}

// ControllerTrust returns the trust policy of the controller role: whom o names as IRSA, PodIdentity and Principals, at
// least one of them. Principals need role_external_id if it is set.
func ControllerTrust(c ecr.Config, o Options) (Document, error) {
	s, err := newScope(c)
	if err != nil {
		return Document{}, err
	}
	var statements []Statement
	var errs []error
	if o.IRSA != (IRSA{}) {
		issuer, err := s.oidc(o.IRSA)
		errs = append(errs, err)
		statements = append(statements, trust("IRSA", map[string]Strings{"Federated": {o.IRSA.ProviderARN}}, Strings{"sts:AssumeRoleWithWebIdentity"},
			map[string]map[string]Strings{"StringEquals": {
				issuer + ":aud": {"sts.amazonaws.com"},
				issuer + ":sub": {"system:serviceaccount:" + o.IRSA.Namespace + ":" + o.IRSA.ServiceAccount},
			}}))
	}
	if p := o.PodIdentity; p != (PodIdentity{}) {
		errs = append(errs, s.cluster(p))
		statements = append(statements, trust("PodIdentity", map[string]Strings{"Service": {"pods.eks.amazonaws.com"}},
			Strings{"sts:AssumeRole", "sts:TagSession"}, map[string]map[string]Strings{"StringEquals": {
				requestTag + "eks-cluster-arn":            {p.ClusterARN},
				requestTag + "kubernetes-namespace":       {p.Namespace},
				requestTag + "kubernetes-service-account": {p.ServiceAccount},
			}}))
	}
	if len(o.Principals) > 0 {
		errs = append(errs, s.principals("principals", o.Principals))
		var condition map[string]map[string]Strings
		if s.RoleExternalID != "" {
			condition = map[string]map[string]Strings{"StringEquals": {"sts:ExternalId": {s.RoleExternalID}}}
		}
		principals := map[string]Strings{"AWS": slices.Clone(o.Principals)}
		statements = append(statements, trust("Assume", principals, Strings{"sts:AssumeRole"}, condition))
		if slices.ContainsFunc(o.Principals, func(p string) bool { return strings.Contains(p, ":role/") }) {
			statements = append(statements, tagging(principals, podIdentityTags()))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Document{}, err
	}
	if len(statements) == 0 {
		return Document{}, provider.NewConfigError("principals", "is required without irsa and pod_identity: somebody must be able to assume the controller role")
	}
	return document(MaxTrust, "principals", statements...)
}

func trust(sid string, principal map[string]Strings, actions Strings, condition map[string]map[string]Strings) Statement {
	return Statement{Sid: sid, Effect: "Allow", Principal: principal, Action: actions, Condition: condition}
}

func tagging(principal map[string]Strings, keys Strings) Statement {
	return trust("Tag", principal, Strings{"sts:TagSession"}, map[string]map[string]Strings{"ForAllValues:StringEquals": {"aws:TagKeys": keys}})
}
