package iampolicy

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// What the policies say is in ecr/internal/policy. Here it is checked that they can be made, and that AWS takes their length.

// Controller returns the identity policy of the controller role, as which the service runs: it lists repositories, creates
// them with the tags that make them this installation's, marks and configures its own, and assumes the push role (and
// the pull role). With auto_remove it deletes its own that are orphaned; with kms_key_arn it may have ECR use the key.
//
// It may set a lifecycle policy, which deletes images, only where max_image_count or untagged_expire_days is set, and else only
// remove one: so the policy has to follow these keys, before the service does. It may tag with the library's own tags and
// with those in tags, no other; give a repository a project's id, never change one; take off the marks orphaned and suspended,
// no other tag.
//
// What tags say isn't limited, nor what a lifecycle policy does where there is one: whoever takes over the controller can mark
// any repository of this installation as orphaned, and with auto_remove delete it then; with a lifecycle configured have ECR
// delete its images; and make tags mutable. A repository under the prefix that bears neither rise:managed nor
// rise:installation may be tagged as this installation's: ECR has no condition for tagging on creation alone.
// [ServiceControl] keeps others from taking tags off.
//
// auto_remove needs an installation, as releasing a repository does. The keys in tags are in the policy three times, so that some
// 900 characters of them fit, and fewer with a long repo_prefix or long ARNs: more is an error of tags.
func Controller(c ecr.Config) (Document, error) {
	s, err := setupOf(c)
	if err != nil {
		return Document{}, err
	}
	if s.AutoRemove && s.Installation == "" {
		return Document{}, provider.NewConfigError("installation", "is required with auto_remove: only repositories that bear its name may be deleted")
	}
	if err := checkTagKeys(s.Tags); err != nil {
		return Document{}, err
	}
	what := "tags"
	if len(s.Tags) == 0 {
		what = "repo_prefix"
	}
	return printed(s.Controller(), MaxIdentity, what)
}

// ControllerTrust returns the trust policy of the controller role: whom o names as IRSA, PodIdentity, Principals and Services, at
// least one of them. Principals need role_external_id if it is set.
func ControllerTrust(c ecr.Config, o Options) (Document, error) {
	s, err := setupOf(c)
	if err != nil {
		return Document{}, err
	}
	var errs []error
	if o.IRSA != (IRSA{}) {
		errs = append(errs, checkIRSA(s, o.IRSA))
	}
	if o.PodIdentity != (PodIdentity{}) {
		errs = append(errs, checkPodIdentity(s, o.PodIdentity))
	}
	errs = append(errs, checkPrincipals(s, "principals", o.Principals), checkServices(o.Services))
	if err := errors.Join(errs...); err != nil {
		return Document{}, err
	}
	if !o.trusts() {
		return Document{}, provider.NewConfigError("principals", "is required without irsa, pod_identity and services: somebody must be able to assume the controller role")
	}
	trusted := policy.Trusted{
		IRSA: policy.IRSA(o.IRSA), PodIdentity: policy.PodIdentity(o.PodIdentity), Principals: o.Principals, Services: o.Services,
	}
	return printed(s.ControllerTrust(trusted), MaxTrust, "principals")
}

// Push returns the identity policy of the push role: the bound of every session, whatever its session policy. It allows
// pushing to and pulling from this installation's repositories that are neither orphaned nor suspended, with session_tags
// only those that bear the session's own rise:project. It denies whatever is outside the prefix, of another
// installation, orphaned or suspended, with session_tags also of another project, so that no resource-based policy can grant it.
// From shared_repositories it allows pulling, whatever they are tagged with, and denies all else.
//
// Without an installation in the configuration, every repository under the prefix with rise:managed is this
// installation's.
func Push(c ecr.Config) (Document, error) {
	s, err := setupOf(c)
	if err != nil {
		return Document{}, err
	}
	return printed(s.PushRole(), MaxIdentity, "repo_prefix")
}

// PushTrust returns the trust policy of the push role: the controller alone, for sessions named as this library names
// them, with external_id if set, and with session_tags only when they are tagged with a project.
//
// IAM keeps the controller's unique id in place of its ARN: after the controller role was deleted and made again, this
// policy has to be saved again.
func PushTrust(c ecr.Config, o Options) (Document, error) {
	s, err := setupOf(c)
	if err != nil {
		return Document{}, err
	}
	controller, err := controllerOf(s, o)
	if err != nil {
		return Document{}, err
	}
	return printed(s.PushTrust(controller), MaxTrust, "controller_arn")
}

// Pull returns the identity policy of the pull role: pulling from all of this installation's repositories, as [Push]
// knows them, and from shared_repositories, and nothing else. It needs pull_role_arn, without which there is no such role.
func Pull(c ecr.Config) (Document, error) {
	s, err := pullSetupOf(c)
	if err != nil {
		return Document{}, err
	}
	return printed(s.PullRole(), MaxIdentity, "repo_prefix")
}

// PullTrust returns the trust policy of the pull role: the controller alone, for the session of the registry-wide pull
// credential, with external_id if set. It needs pull_role_arn. [PushTrust] has a word on recreated roles.
func PullTrust(c ecr.Config, o Options) (Document, error) {
	s, err := pullSetupOf(c)
	if err != nil {
		return Document{}, err
	}
	controller, err := controllerOf(s, o)
	if err != nil {
		return Document{}, err
	}
	return printed(s.PullTrust(controller), MaxTrust, "controller_arn")
}

// User returns the only policy of a user for services outside AWS: it may assume the controller role and nothing else.
// The user belongs into Options.Principals, and role_arn into the service's configuration.
func User(c ecr.Config, o Options) (Document, error) {
	s, err := setupOf(c)
	if err != nil {
		return Document{}, err
	}
	controller, err := controllerOf(s, o)
	if err != nil {
		return Document{}, err
	}
	if !policy.IsRoleARN(controller) {
		return Document{}, provider.NewConfigError("controller_arn", "must be a role for a user to assume it")
	}
	return printed(policy.User(controller), MaxUser, "controller_arn")
}

// Key returns the statements that the key policy of kms_key_arn needs for the controller, to be added to the key's own.
// They are needed where the key is of another account, or where its policy doesn't delegate to IAM; else [Controller]'s
// statements are enough. Alone they are no key policy: they name nobody who administers the key, and KMS refuses such.
func Key(c ecr.Config, o Options) (Document, error) {
	s, err := setupOf(c)
	if err != nil {
		return Document{}, err
	}
	if s.KMSKeyARN == "" {
		return Document{}, provider.NewConfigError("kms_key_arn", "is required for the key's policy")
	}
	controller, err := controllerOf(s, o)
	if err != nil {
		return Document{}, err
	}
	return printed(s.Key(controller), MaxKey, "kms_key_arn")
}

// Diagnose returns what a diagnosis reads beyond the controller's own rights: the registry's policy, templates,
// pull-through cache rules and signing configuration, the repositories' policies and tags, and the roles with their trust. It changes nothing. It is
// optional, for the controller role or for an operator's. The controller is among the roles if it is known and a role.
func Diagnose(c ecr.Config, o Options) (Document, error) {
	s, err := setupOf(c)
	if err != nil {
		return Document{}, err
	}
	controller := ""
	if o.ControllerARN != "" || s.RoleARN != "" {
		if controller, err = controllerOf(s, o); err != nil {
			return Document{}, err
		}
	}
	return printed(s.Diagnose(controller), MaxIdentity, "repo_prefix")
}

// ServiceControl returns a service control policy (AWS Organizations) that reserves tags rise:… on repositories under the
// prefix: only the controller and Options.Operators may set or remove them, or create repositories with them. Rights
// depend on these tags, so that whoever else may tag there could open or close repositories.
//
// It is for the registry's account or above it; it doesn't bind an organization's management account. It only denies:
// the account needs another policy that allows, as FullAWSAccess. Other installations under the same prefix in the
// same registry have to be named in Operators.
func ServiceControl(c ecr.Config, o Options) (Document, error) {
	s, err := setupOf(c)
	if err != nil {
		return Document{}, err
	}
	controller, err := controllerOf(s, o)
	if err := errors.Join(err, checkPrincipals(s, "operators", o.Operators)); err != nil {
		return Document{}, err
	}
	return printed(s.ServiceControl(slices.Concat([]string{controller}, o.Operators)), MaxServiceControl, "operators")
}

// Session returns the session policy that r's session gets, as [ecr.SessionPolicy] has it. Nobody provisions it: it is for
// reading, beside what CloudTrail shows. Errors are those of ecr.SessionPolicy.
func Session(c ecr.Config, r provider.Request) (Document, error) {
	text, err := ecr.SessionPolicy(c, r)
	if err != nil {
		return Document{}, err
	}
	var d Document
	err = json.Unmarshal([]byte(text), &d)
	return d, err
}
