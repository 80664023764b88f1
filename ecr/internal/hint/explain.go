package hint

import (
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

func explain(s policy.Setup, f *failure.Failure) Trouble {
	r := f.Refusal()
	if t, ok := explainClock(f, r); ok {
		return t
	}
	switch {
	case strings.Contains(r.Message, "not be assumed by root"):
		return Root()
	case strings.Contains(r.Message, "role chaining"):
		return Trouble{Is: "the process itself runs as an assumed role (IRSA, Pod Identity, an instance role or role_arn), and AWS limits a role " +
			"assumed by a role to one hour (role chaining)", Remedy: "set session_duration to 1h or less"}
	case strings.Contains(r.Message, "MaxSessionDuration"):
		return Trouble{Is: "session_duration is longer than the role's MaxSessionDuration",
			Remedy: "shorten the one or raise the other"}
	case r.Code == "PackedPolicyTooLarge" && strings.Contains(strings.ToLower(r.Message), "session tags"):
		return Trouble{Is: "the session's tags, or its policy and tags together, are too large for AWS", Remedy: "pass on fewer or shorter ones: those that the process's own session passes on count too " +
			"(EKS Pod Identity's are, unless its association disables session tags)"}
	case r.Code == "PackedPolicyTooLarge":
		return Trouble{Is: "the session policy and tags are too large for AWS", Remedy: "shorten repo_prefix, or name less in shared_repositories"}
	case r.Code == "KmsException":
		return Trouble{Is: "ECR can't use the KMS key that encrypts the repository (kms_key_arn)",
			Remedy: "check that the key exists, is enabled and in the registry's region, and that its policy and the controller's allow kms:DescribeKey, kms:CreateGrant and kms:RetireGrant " +
				"through ECR (operator policies)"}
	case r.Code == "OptInRequired":
		return Trouble{Is: "the account isn't registered for this service, or hasn't enabled the region",
			Remedy: "finish the account's registration, or enable the region in its account settings"}
	case r.Code == "RegionDisabledException":
		return Trouble{Is: "STS isn't activated for this account in this region",
			Remedy: "activate it in the account's IAM settings, or set sts_region to a region where it is"}
	case r.UsedUp():
		return explainQuota(f.Operation)
	case f.Kind == provider.ErrThrottled:
		return Trouble{Is: "AWS limits the rate of this call per account and region",
			Remedy: "retry later, or ask AWS for a higher quota"}
	case f.Op == failure.OpCredentials && f.Operation == assumeRole && strings.HasPrefix(r.Code, "Expired"):
		return Trouble{Is: "the credentials that assume the profile's role have expired",
			Remedy: "renew those of its source_profile or credential_source; a service needs IRSA, Pod Identity or an instance role"}
	case r.Code == "InvalidIdentityToken" || r.Code == "IDPRejectedClaim" || (f.Op == failure.OpCredentials && strings.HasPrefix(r.Code, "Expired")):
		return Trouble{Is: "AWS refuses the web identity token",
			Remedy: "check that the token file is renewed, that its issuer is an OIDC provider in " +
				"IAM, and that the trust policy of the role in AWS_ROLE_ARN names its audience and subject"}
	case strings.HasPrefix(r.Code, "Expired"):
		return Trouble{Is: "the credentials that signed the call have expired",
			Remedy: "check how they are renewed, and this machine's clock"}
	case r.Code == "SignatureDoesNotMatch" || r.Code == "InvalidSignatureException":
		return Trouble{Is: "the secret access key doesn't belong to the access key id, or this machine's clock is off",
			Remedy: "set both from one key pair"}
	case r.Code == "InvalidClientTokenId" || r.Code == "UnrecognizedClientException":
		return Trouble{Is: "AWS doesn't know the credentials that signed the call",
			Remedy: "check the keys (deleted, deactivated, mistyped, without " +
				"their session_token), that they are of this partition, and that the account has enabled the region"}
	case f.Op == failure.OpCredentials:
		return explainNoCredentials(f)
	}
	if f.Network != nil {
		t := Trouble{Is: f.Network.Summary, Remedy: f.Network.Remedy}
		if f.Network.Step == "dns" { // the names are made of it
			t.Remedy += "; check region, and AWS_ENDPOINT_URL* if set"
		}
		return t
	}
	switch f.Kind {
	case provider.ErrAccessDenied:
		return explainDenial(s, f.Op, r)
	case provider.ErrUnavailable:
		if r.Code == "" && f.HTTPStatus == 0 {
			return Trouble{Is: "AWS can't be reached", Remedy: "see the error; check the network, proxies and firewalls on the way"}
		}
		return Trouble{Is: "AWS fails on its side", Remedy: "try again later; see AWS's health dashboard"}
	case provider.ErrBadResponse:
		return Trouble{Is: "what answers isn't AWS",
			Remedy: "check AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL_ECR, and proxies that " +
				"answer in AWS's place"}
	}
	return Trouble{}
}

// explainQuota is about what waiting doesn't help.
func explainQuota(operation string) Trouble {
	t := Trouble{Is: "a quota of AWS's is used up, and waiting doesn't help",
		Remedy: "see which in the message; ask for more: aws service-quotas list-service-quotas --service-code ecr"}
	if operation == "CreateRepository" {
		t.Is = `ECR's quota "Registered repositories" of this account and region is used up, and waiting doesn't help`
		t.Remedy = "let repositories that aren't needed go (auto_remove, operator repo purge), or ask for more: " +
			"aws service-quotas list-service-quotas --service-code ecr; aws service-quotas request-service-quota-increase"
	}
	return t
}

// Root is what is wrong with the credentials of an account's root user.
func Root() Trouble {
	return Trouble{Is: "the credentials are the account's root user's, and AWS lets it assume no role", Remedy: "use a role, or the keys of an IAM user, and delete the root user's"}
}
