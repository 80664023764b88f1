package iampolicy

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Options say what a configuration doesn't: who the controller is, and who may become it. All ARNs are literal: no
// wildcards, no variables, and never an account's root, which would let in everybody whom that account trusts.
type Options struct {
	// ControllerARN is the role (or the user) that the service runs as, or that it assumes as role_arn. Default: the
	// configuration's role_arn. Who is to trust or to name the controller needs one of the two.
	ControllerARN string
	// IRSA lets a Kubernetes service account assume the controller role, by the cluster's OpenID Connect provider.
	IRSA IRSA
	// PodIdentity lets a Kubernetes service account assume the controller role, by EKS Pod Identity.
	PodIdentity PodIdentity
	// Principals are roles and users, of any account of the partition, that may assume the controller role: for services
	// outside AWS or in another account, which set role_arn. They need the configuration's role_external_id, if set.
	Principals []string
	// Services are those of AWS that run the service as the controller role, outside EKS. Each is trusted for this account's
	// resources alone, as far as it says whose they are: see [Service].
	Services []Service
	// Operators are roles and users that [ServiceControl] lets change the reserved tags beside the controller.
	Operators []string
}

// trusts reports whether somebody may assume the controller role.
func (o Options) trusts() bool {
	return o.IRSA != (IRSA{}) || o.PodIdentity != (PodIdentity{}) || len(o.Principals) > 0 || len(o.Services) > 0
}

// IRSA is a service account of a cluster whose OpenID Connect provider the registry's account trusts (IAM roles for
// service accounts). The zero IRSA is none.
type IRSA struct {
	// ProviderARN is the provider's: arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/….
	ProviderARN string
	// Namespace and ServiceAccount name the service account.
	Namespace, ServiceAccount string
}

// PodIdentity is a service account of an EKS cluster that runs the EKS Pod Identity Agent. The zero PodIdentity is none.
type PodIdentity struct {
	// ClusterARN is the cluster's: arn:aws:eks:eu-west-1:123456789012:cluster/….
	ClusterARN string
	// Namespace and ServiceAccount name the service account.
	Namespace, ServiceAccount string
}

// A Service is one of AWS's that runs programs: [ECSTasks], [EC2] or [Lambda]. The trust policy of the controller role names its
// principal, with aws:SourceAccount as the condition: ECS says whose task it is; EC2 says nothing, and Lambda not in all calls, so
// that for these the condition counts where they do. Nobody gives them a role of another account either way (iam:PassRole
// doesn't cross accounts); in its own account, whoever may pass the controller role to a service is the controller.
type Service = policy.Service

// The services that may run as the controller role: tasks of ECS, on Fargate too; instances of EC2, by an instance profile; and
// functions of Lambda.
const (
	ECSTasks = policy.ECSTasks
	EC2      = policy.EC2
	Lambda   = policy.Lambda
)

// None of these lets *, ?, $ or white space through.
var (
	oidcPattern           = regexp.MustCompile(`^oidc-provider/([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*$`)
	clusterPattern        = regexp.MustCompile(`^cluster/[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)
	namespacePattern      = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	serviceAccountPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
)

// controllerOf returns the ARN of the controller.
func controllerOf(s policy.Setup, o Options) (string, error) {
	const key = "controller_arn"
	switch {
	case o.ControllerARN == "" && s.RoleARN == "":
		return "", provider.NewConfigError(key, "is required where role_arn isn't set: it must be the ARN of the role that the service runs as")
	case o.ControllerARN == "":
		o.ControllerARN = s.RoleARN
	case s.RoleARN != "" && o.ControllerARN != s.RoleARN:
		return "", provider.NewConfigError(key, "must be the configuration's role_arn, which is set")
	}
	if o.ControllerARN == s.PushRoleARN || o.ControllerARN == s.PullRoleARN {
		return "", provider.NewConfigError(key, "must be another role than push_role_arn and pull_role_arn, which have fewer rights")
	}
	return o.ControllerARN, checkPrincipal(s, key, o.ControllerARN, true)
}

// checkPrincipal checks the ARN of a role or a user.
func checkPrincipal(s policy.Setup, key, text string, ownAccount bool) error {
	a, err := arn.Parse(text)
	switch {
	case err == nil && a.Service == "iam" && a.Resource == "root":
		return provider.NewConfigError(key, "must not be an account's root: it lets in everybody whom that account trusts; name roles or users")
	case err != nil || !policy.IsPrincipal(a):
		return provider.NewConfigError(key, "must be the ARN of an IAM role or user such as arn:aws:iam::123456789012:role/rise-backend, without wildcards or variables")
	case a.Partition != s.Partition:
		return provider.NewConfigError(key, "must be in partition %s, which is the region's", s.Partition)
	case ownAccount && a.AccountID != s.AccountID:
		return provider.NewConfigError(key, "must be of the account in account_id")
	}
	return nil
}

// checkPrincipals checks a list of them.
func checkPrincipals(s policy.Setup, key string, list []string) error {
	var errs []error
	for i, text := range list {
		errs = append(errs, checkPrincipal(s, fmt.Sprintf("%s[%d]", key, i), text, false))
	}
	return errors.Join(errs...)
}

func checkServices(list []Service) error {
	var errs []error
	for i, service := range list {
		if key := fmt.Sprintf("services[%d]", i); !service.Known() {
			errs = append(errs, provider.NewConfigError(key, "must be %s, %s or %s", ECSTasks, EC2, Lambda))
		} else if slices.Contains(list[:i], service) {
			errs = append(errs, provider.NewConfigError(key, "is there twice"))
		}
	}
	return errors.Join(errs...)
}

func checkIRSA(s policy.Setup, i IRSA) error {
	a, err := arn.Parse(i.ProviderARN)
	if err != nil || a.Service != "iam" || a.Region != "" || !oidcPattern.MatchString(a.Resource) {
		err = provider.NewConfigError("irsa.oidc_provider_arn", "must be the ARN of an IAM OIDC provider such as "+
			"arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE")
	} else {
		err = checkHere(s, "irsa.oidc_provider_arn", a)
	}
	return errors.Join(err, checkServiceAccount("irsa", i.Namespace, i.ServiceAccount))
}

func checkPodIdentity(s policy.Setup, p PodIdentity) error {
	a, err := arn.Parse(p.ClusterARN)
	if err != nil || a.Service != "eks" || !policy.IsRegion(a.Region) || !clusterPattern.MatchString(a.Resource) {
		err = provider.NewConfigError("pod_identity.cluster_arn",
			"must be the ARN of an EKS cluster such as arn:aws:eks:eu-west-1:123456789012:cluster/main")
	} else {
		err = checkHere(s, "pod_identity.cluster_arn", a)
	}
	return errors.Join(err, checkServiceAccount("pod_identity", p.Namespace, p.ServiceAccount))
}

// checkHere checks that a is of the partition and account that the controller role is in, as AWS demands.
func checkHere(s policy.Setup, key string, a arn.ARN) error {
	switch {
	case a.Partition != s.Partition:
		return provider.NewConfigError(key, "must be in partition %s, which is the region's", s.Partition)
	case a.AccountID != s.AccountID:
		return provider.NewConfigError(key, "must be of the account in account_id, which the controller role is in")
	}
	return nil
}

func checkServiceAccount(key, namespace, name string) error {
	var errs []error
	if !namespacePattern.MatchString(namespace) {
		errs = append(errs, provider.NewConfigError(key+".namespace", "must be the name of a Kubernetes namespace"))
	}
	if !serviceAccountPattern.MatchString(name) {
		errs = append(errs, provider.NewConfigError(key+".service_account", "must be the name of a Kubernetes service account"))
	}
	return errors.Join(errs...)
}

// checkTagKeys checks the keys of configured tags, which policies name.
func checkTagKeys(tags map[string]string) error {
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		// IAM's pattern for policy documents is [\u0009\u000A\u000D\u0020-\u00FF]+.
		if strings.ContainsFunc(key, func(r rune) bool { return r > 0xFF || r < ' ' }) {
			errs = append(errs, provider.NewConfigError("tags", "has a key that no IAM policy can name: letters must be of ISO 8859-1"))
		}
	}
	return errors.Join(errs...)
}
