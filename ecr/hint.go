package ecr

import (
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// trouble is what likely makes a step fail, in an operator's words: what hints and diagnosis have in common.
type trouble struct {
	is     string // what is wrong
	remedy string // what to do, in one line
	more   string // further lines for diagnosis: statements, commands
}

// hint is the trouble in one line, for logs.
func (t trouble) hint() string {
	if t.remedy == "" {
		return t.is
	}
	if t.is == "" {
		return t.remedy
	}
	return t.is + ": " + t.remedy
}

// refusal is what AWS said when it refused.
type refusal struct {
	code, message string
	action        string // as ECR's and STS's messages name it, such as sts:TagSession; empty if they don't
	caller        string // the ARN in the message
	layer         string // the type of policy that denied, if the message says so; STS's mostly don't
	explicit      bool   // by a Deny
}

var (
	refusedAction = regexp.MustCompile(`not authorized to perform: ([a-z-]+:[A-Za-z]+)`)
	refusedCaller = regexp.MustCompile(`User: (arn:[a-z-]+:(?:iam|sts)::[0-9]{12}:[A-Za-z0-9+=,.@_/-]+) is not`)
	refusedLayer  = regexp.MustCompile(`(because no|with an explicit deny in (?:an?|the)) ` +
		`((?:identity-based|resource-based|session|service control|resource control|role trust|VPC endpoint) policy|permissions boundary)`)
)

// newRefusal reads an error of AWS's API, or the text of an answer of the image registry. The texts that it recognizes are in the
// IAM User Guide, "Troubleshoot access denied error messages".
func newRefusal(code, message string) refusal {
	message = scrub.Said(message, nil) // what is taken from it is shown
	r := refusal{code: code, message: message}
	if m := refusedAction.FindStringSubmatch(message); m != nil {
		r.action = m[1]
	}
	if m := refusedCaller.FindStringSubmatch(message); m != nil {
		r.caller = m[1]
	}
	if m := refusedLayer.FindStringSubmatch(message); m != nil {
		r.layer, r.explicit = m[2], m[1] != "because no"
	}
	return r
}

// article is the layer with its article.
func (r refusal) article() string {
	if strings.HasPrefix(r.layer, "identity") {
		return "an " + r.layer
	}
	return "a " + r.layer
}

func refusalOf(err error) refusal {
	var api smithy.APIError
	if !errors.As(err, &api) || sourceOf(err) != nil {
		return refusal{}
	}
	return newRefusal(api.ErrorCode(), api.ErrorMessage())
}

// operationOf is the call of the SDK that failed, such as "AssumeRole"; empty if it was none.
func operationOf(err error) string {
	var failed *smithy.OperationError
	if !errors.As(err, &failed) {
		return ""
	}
	return failed.OperationName
}

// explain says what likely causes a failure of a step. s is the zero Setup where it isn't known.
func explain(s policy.Setup, op string, kind provider.Kind, err error) trouble {
	r := refusalOf(err)
	if t, ok := explainClock(r, err); ok {
		return t
	}
	switch {
	case strings.Contains(r.message, "not be assumed by root"):
		return explainRoot()
	case strings.Contains(r.message, "role chaining"):
		return trouble{is: "the process itself runs as an assumed role (IRSA, Pod Identity, an instance role or role_arn), and AWS limits a role " +
			"assumed by a role to one hour (role chaining)", remedy: "set session_duration to 1h or less"}
	case strings.Contains(r.message, "MaxSessionDuration"):
		return trouble{is: "session_duration is longer than the role's MaxSessionDuration",
			remedy: "shorten the one or raise the other"}
	case r.code == "PackedPolicyTooLarge" && strings.Contains(strings.ToLower(r.message), "session tags"):
		return trouble{is: "the session's tags, or its policy and tags together, are too large for AWS", remedy: "pass on fewer or shorter ones: those that the process's own session passes on count too " +
			"(EKS Pod Identity's are, unless its association disables session tags)"}
	case r.code == "PackedPolicyTooLarge":
		return trouble{is: "the session policy and tags are too large for AWS", remedy: "shorten repo_prefix"}
	case r.code == "KmsException":
		return trouble{is: "ECR can't use the KMS key that encrypts the repository (kms_key_arn)",
			remedy: "check that the key exists, is enabled and in the registry's region, and that its policy and the controller's allow kms:DescribeKey, kms:CreateGrant and kms:RetireGrant " +
				"through ECR (operator policies)"}
	case r.code == "OptInRequired":
		return trouble{is: "the account isn't registered for this service, or hasn't enabled the region",
			remedy: "finish the account's registration, or enable the region in its account settings"}
	case r.code == "RegionDisabledException":
		return trouble{is: "STS isn't activated for this account in this region",
			remedy: "activate it in the account's IAM settings, or set sts_region to a region where it is"}
	case isUsedUp(r.code):
		return explainQuota(operationOf(err))
	case kind == provider.ErrThrottled:
		return trouble{is: "AWS limits the rate of this call per account and region",
			remedy: "retry later, or ask AWS for a higher quota"}
	case op == opCredentials && operationOf(err) == callAssume && strings.HasPrefix(r.code, "Expired"):
		return trouble{is: "the credentials that assume the profile's role have expired",
			remedy: "renew those of its source_profile or credential_source; a service needs IRSA, Pod Identity or an instance role"}
	case r.code == "InvalidIdentityToken" || r.code == "IDPRejectedClaim" || (op == opCredentials && strings.HasPrefix(r.code, "Expired")):
		return trouble{is: "AWS refuses the web identity token",
			remedy: "check that the token file is renewed, that its issuer is an OIDC provider in " +
				"IAM, and that the trust policy of the role in AWS_ROLE_ARN names its audience and subject"}
	case strings.HasPrefix(r.code, "Expired"):
		return trouble{is: "the credentials that signed the call have expired",
			remedy: "check how they are renewed, and this machine's clock"}
	case r.code == "SignatureDoesNotMatch" || r.code == "InvalidSignatureException":
		return trouble{is: "the secret access key doesn't belong to the access key id, or this machine's clock is off",
			remedy: "set both from one key pair"}
	case r.code == "InvalidClientTokenId" || r.code == "UnrecognizedClientException":
		return trouble{is: "AWS doesn't know the credentials that signed the call",
			remedy: "check the keys (deleted, deactivated, mistyped, without " +
				"their session_token), that they are of this partition, and that the account has enabled the region"}
	case op == opCredentials:
		return explainNoCredentials(kind, err)
	}
	if f, ok := probe.Explain(err); ok {
		if f.Step == "dns" { // the names are made of it
			f.Remedy += "; check region, and AWS_ENDPOINT_URL* if set"
		}
		return trouble{is: f.Summary, remedy: f.Remedy}
	}
	switch kind {
	case provider.ErrAccessDenied:
		return explainDenial(s, op, r)
	case provider.ErrUnavailable:
		var response *smithyhttp.ResponseError
		if r.code == "" && (!errors.As(err, &response) || response.HTTPStatusCode() == 0) {
			return trouble{is: "AWS can't be reached", remedy: "see the error; check the network, proxies and firewalls on the way"}
		}
		return trouble{is: "AWS fails on its side", remedy: "try again later; see AWS's health dashboard"}
	case provider.ErrBadResponse:
		return trouble{is: "what answers isn't AWS",
			remedy: "check AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL_ECR, and proxies that " +
				"answer in AWS's place"}
	}
	return trouble{}
}

// explainQuota is about what waiting doesn't help.
func explainQuota(operation string) trouble {
	t := trouble{is: "a quota of AWS's is used up, and waiting doesn't help",
		remedy: "see which in the message; ask for more: aws service-quotas list-service-quotas --service-code ecr"}
	if operation == "CreateRepository" {
		t.is = `ECR's quota "Registered repositories" of this account and region is used up, and waiting doesn't help`
		t.remedy = "let repositories that aren't needed go (auto_remove, operator repo purge), or ask for more: " +
			"aws service-quotas list-service-quotas --service-code ecr; aws service-quotas request-service-quota-increase"
	}
	return t
}

func explainRoot() trouble {
	return trouble{is: "the credentials are the account's root user's, and AWS lets it assume no role", remedy: "use a role, or the keys of an IAM user, and delete the root user's"}
}

// badClock is from when on a clock is wrong: AWS takes signatures that are five minutes off.
const badClock = 5 * time.Minute

func explainClock(r refusal, err error) (trouble, bool) {
	offset, known := clockOffset(err)
	switch {
	case strings.Contains(r.message, "Signature expired"), strings.Contains(r.message, "Signature not yet current"),
		r.code == "RequestTimeTooSkewed", r.code == "RequestExpired":
	case r.code != "" && deniedCodes[r.code] && known && offset.Abs() >= badClock:
	default:
		return trouble{}, false
	}
	t := trouble{is: "this machine's clock is off",
		remedy: "keep it with NTP; AWS refuses what is signed more than five minutes off"}
	if known {
		t.is = offClock(offset)
	}
	return t, true
}

// offClock words how far AWS's clock is ahead of this machine's.
func offClock(offset time.Duration) string {
	direction := "behind"
	if offset < 0 {
		direction = "ahead of"
	}
	return "this machine's clock is off: " + offset.Abs().Round(time.Second).String() + " " + direction + " AWS's"
}

func explainNoCredentials(kind provider.Kind, err error) trouble {
	source := sourceOf(err)
	if source != nil && source.status != 0 {
		return source.explain()
	}
	switch text := err.Error(); {
	case strings.Contains(text, "unable to read file at"), strings.Contains(text, "failed to read authorization token from"):
		return trouble{is: "the token file of IRSA or Pod Identity can't be read",
			remedy: "check that it is mounted into the container and readable: AWS_WEB_IDENTITY_TOKEN_FILE, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"}
	case errors.As(err, new(*processcreds.ProviderError)):
		return trouble{is: "the profile's credential_process failed",
			remedy: "run it by hand as this process's user and in its environment"}
	case kind == provider.ErrAccessDenied && operationOf(err) == callAssume:
		return trouble{is: "the role that the profile names (role_arn in ~/.aws/config) can't be assumed",
			remedy: "check its trust policy, its external_id, and that the credentials of its source_profile or credential_source may sts:AssumeRole it"}
	case strings.Contains(text, "SSO session has expired"):
		return trouble{is: "the profile's SSO session has expired",
			remedy: "run aws sso login; a service needs IRSA, Pod Identity, an instance role or keys"}
	}
	const remedy = "set access_key_id and secret_access_key, or run with IRSA, Pod Identity or an instance role"
	if kind == provider.ErrMisconfigured || strings.Contains(err.Error(), "ec2imds") {
		t := trouble{is: "no AWS credentials were found", remedy: remedy}
		if source != nil && source.source == sourceIMDS { // where else than on EC2 it doesn't answer
			t.remedy += "; " + hopLimit
		}
		return t
	}
	if kind == provider.ErrAccessDenied {
		return trouble{is: "AWS refused the credentials' own source",
			remedy: "for IRSA, check the trust policy of the role in AWS_ROLE_ARN and " +
				"the web identity token; for Pod Identity, the role's trust in pods.eks.amazonaws.com"}
	}
	if f, ok := probe.Explain(err); ok {
		return trouble{is: "the credentials' source can't be reached: " + f.Summary, remedy: f.Remedy}
	}
	if source != nil {
		return trouble{is: source.at() + " can't be reached", remedy: noProxy}
	}
	return trouble{}
}

// explainDenial is about what AWS doesn't allow.
func explainDenial(s policy.Setup, op string, r refusal) trouble {
	if r.layer != "" && r.layer != "role trust policy" && r.action != "" {
		t := trouble{is: "no " + r.layer + " allows " + r.action, remedy: "allow it there"}
		switch r.action {
		case "ecr:PutLifecyclePolicy", "ecr:DeleteLifecyclePolicy", "ecr:TagResource", "ecr:DeleteRepository":
			t.remedy += "; the controller's policy is made for a configuration (operator policies controller), and has to be made again where " +
				"max_image_count, untagged_expire_days, tags, installation or auto_remove changed"
		}
		if r.explicit {
			t = trouble{is: "a Deny in " + r.article() + " forbids " + r.action, remedy: "take it out, or except this"}
		}
		if op == opToken && (r.layer == "identity-based policy" || r.layer == "session policy") {
			t.remedy = "check that the role's own policy allows ecr:GetAuthorizationToken on *, and that nothing denies it"
		} else if role := roleOf(s, op); role != "" && !r.explicit {
			t.more = policy.Assume(role).Pasteable()
		}
		return t
	}
	switch op {
	case opToken:
		return trouble{remedy: "check that the role's own policy allows ecr:GetAuthorizationToken on *"}
	case opAssumePush, opAssumePull, opAssumeController:
		return explainTrust(s, op, r)
	}
	if r.action != "" {
		return trouble{is: r.action + " isn't allowed", remedy: "allow it in the controller's policy"}
	}
	return trouble{}
}

// explainTrust is about roles that can't be assumed. AWS doesn't say why; the likeliest comes first.
func explainTrust(s policy.Setup, op string, r refusal) trouble {
	key, idKey, id := "push_role_arn", "external_id", s.ExternalID
	identity := "the controller"
	switch op {
	case opAssumePull:
		key = "pull_role_arn"
	case opAssumeController:
		key, idKey, id, identity = "role_arn", "role_external_id", s.RoleExternalID, "this process's identity"
	}
	t := trouble{more: trustRemedy(s, op, r.caller)}
	if r.action == "sts:TagSession" {
		why := "sessions carry tags: EKS Pod Identity's pass theirs on"
		if s.SessionTags {
			why = "sessions carry tags with session_tags, and always under EKS Pod Identity"
		}
		t.is = "sts:TagSession isn't allowed for the role in " + key + ", and " + why
		t.remedy = "allow sts:TagSession beside sts:AssumeRole in " + identity + "'s own policy and in the role's trust policy"
		return t
	}
	if account := policy.AccountOf(r.caller); s.RoleARN == "" && account != "" && account != s.AccountID && s.AccountID != "" {
		t.is = "the credentials are of account " + account + ", and account_id is " + s.AccountID
		t.remedy, t.more = "set role_arn to a controller role in account "+s.AccountID+", or correct account_id, or use credentials of that account", ""
		return t
	}
	if account, own, ok := policy.AssumedRole(r.caller); ok && policy.IsRole(roleOf(s, op), account, own) {
		t.is = identity + " runs as the role in " + key + " itself: a role can't assume itself, and this one is for sessions only"
		t.remedy, t.more = "run as the controller role (the role in AWS_ROLE_ARN, of the pod or instance, or role_arn must be another one)", ""
		return t
	}
	if r.explicit {
		t.is = "a Deny in the trust policy of the role in " + key + " forbids " + identity + " to assume it"
		t.remedy, t.more = "take it out, or except "+identity, ""
		return t
	}
	causes := []string{
		"its trust policy doesn't name " + identity + ", or names one that was deleted (recreating a role breaks the trust in it)",
		"the role doesn't exist",
		identity + "'s own policy lacks sts:AssumeRole on it (and sts:TagSession with session_tags or under Pod Identity)",
	}
	if op == opAssumeController {
		causes[0] = "its trust policy doesn't name this process's identity, or names one that was deleted and made again"
	}
	if r.layer != "" { // AWS says that it is the trust policy
		causes = causes[:1]
	}
	if id != "" {
		causes = append([]string{idKey + " isn't the external ID that the role's trust policy demands"}, causes...)
	} else {
		causes[0] += ", or demands an external ID, and " + idKey + " isn't set"
	}
	if op == opAssumePush && s.AccountID != "" && !s.SessionTags {
		causes = append(causes, "its trust policy demands the session tag "+policy.TagProject+", and session_tags is off")
	}
	t.is = "the role in " + key + " can't be assumed; likeliest first: " + strings.Join(causes, "; ")
	t.remedy = "check that the role exists, its trust policy and its external ID (" + idKey + "), and that " + identity + " may sts:AssumeRole it"
	return t
}
