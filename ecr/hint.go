package ecr

import (
	"errors"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// hint says what likely causes a failure, in an operator's words.
func hint(op string, kind provider.Kind, err error) string {
	var api smithy.APIError
	code, message := "", ""
	if errors.As(err, &api) {
		code, message = api.ErrorCode(), api.ErrorMessage()
	}
	switch {
	case strings.Contains(message, "role chaining"):
		return "the process itself runs as an assumed role (IRSA, Pod Identity, an instance role or role_arn), and AWS limits a role " +
			"assumed by a role to one hour: set session_duration to 1h or less"
	case strings.Contains(message, "MaxSessionDuration"):
		return "session_duration is longer than the role's MaxSessionDuration: shorten the one or raise the other"
	case code == "PackedPolicyTooLarge":
		return "the session policy and tags are too large for AWS: shorten repo_prefix"
	case code == "RegionDisabledException":
		return "STS isn't activated for this account in this region"
	case kind == provider.ErrThrottled:
		return "AWS limits the rate of this call per account and region; retry later, or ask AWS for a higher quota"
	case strings.HasPrefix(code, "Expired"):
		return "the credentials that signed the call have expired: check how they are renewed, and this machine's clock"
	case code == "SignatureDoesNotMatch" || code == "InvalidSignatureException" || code == "RequestExpired":
		return "the secret access key doesn't belong to the access key id, or this machine's clock is off"
	case code == "InvalidClientTokenId" || code == "UnrecognizedClientException":
		return "AWS doesn't know the credentials that signed the call: check the keys, and that they are of this partition"
	case op == opCredentials && kind == provider.ErrMisconfigured:
		return "no AWS credentials were found: set access_key_id and secret_access_key, or run with IRSA, Pod Identity or an instance role"
	case op == opCredentials && kind == provider.ErrAccessDenied:
		return "AWS refused the credentials' own source: for IRSA, check the trust policy of the role in AWS_ROLE_ARN and the web identity token"
	case kind == provider.ErrAccessDenied && op == opAssumeController:
		return "check that role_arn exists, that its trust policy names this process's identity (and role_external_id), and that the " +
			"identity may sts:AssumeRole it"
	case kind == provider.ErrAccessDenied && op == opToken:
		return "check that the role's own policy allows ecr:GetAuthorizationToken on *"
	case kind == provider.ErrAccessDenied:
		return "check that the role exists, that its trust policy names the controller role (recreating a role breaks the trust in it) and " +
			"external_id, that the controller may sts:AssumeRole it, and sts:TagSession in both with session_tags or under Pod Identity"
	}
	return ""
}
