package hint

import (
	"net/http"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/source"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const noProxy = "keep " + source.AddressECS + " (ECS), " + source.AddressPod + " and " + source.AddressPod6 + " (EKS Pod Identity), " + source.AddressIMDS + " and " + source.AddressIMDS6 +
	" (instance metadata) away from proxies: list them in NO_PROXY"

const hopLimit = "in a container on EC2, raise the hop limit of IMDSv2: aws ec2 modify-instance-metadata-options --instance-id ID " +
	"--http-put-response-hop-limit 2; or use IRSA or Pod Identity"

// assumeRole is the SDK's call.
const assumeRole = "AssumeRole"

// explainNoCredentials is about what the SDK looks for before it can sign anything.
func explainNoCredentials(f *failure.Failure) Trouble {
	asked := f.Source
	if asked != nil && asked.Status != 0 {
		return explainSource(*asked)
	}
	switch {
	case f.Search == failure.TokenFile:
		return Trouble{Is: "the token file of IRSA or Pod Identity can't be read",
			Remedy: "check that it is mounted into the container and readable: AWS_WEB_IDENTITY_TOKEN_FILE, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"}
	case f.Search == failure.Process:
		return Trouble{Is: "the profile's credential_process failed",
			Remedy: "run it by hand as this process's user and in its environment"}
	case f.Kind == provider.ErrAccessDenied && f.Operation == assumeRole:
		return Trouble{Is: "the role that the profile names (role_arn in ~/.aws/config) can't be assumed",
			Remedy: "check its trust policy, its external_id, and that the credentials of its source_profile or credential_source may sts:AssumeRole it"}
	case f.Search == failure.SSOExpired:
		return Trouble{Is: "the profile's SSO session has expired",
			Remedy: "run aws sso login; a service needs IRSA, Pod Identity, an instance role or keys"}
	}
	const remedy = "set access_key_id and secret_access_key, or run with IRSA, Pod Identity or an instance role"
	if f.Kind == provider.ErrMisconfigured || f.Search == failure.NoMetadata {
		t := Trouble{Is: "no AWS credentials were found", Remedy: remedy}
		if asked != nil && asked.Name == source.IMDS { // where else than on EC2 it doesn't answer
			t.Remedy += "; " + hopLimit
		}
		return t
	}
	if f.Kind == provider.ErrAccessDenied {
		return Trouble{Is: "AWS refused the credentials' own source",
			Remedy: "for IRSA, check the trust policy of the role in AWS_ROLE_ARN and " +
				"the web identity token; for Pod Identity, the role's trust in pods.eks.amazonaws.com"}
	}
	if f.Network != nil {
		return Trouble{Is: "the credentials' source can't be reached: " + f.Network.Summary, Remedy: f.Network.Remedy}
	}
	if asked != nil {
		return Trouble{Is: asked.At() + " can't be reached", Remedy: noProxy}
	}
	return Trouble{}
}

func explainSource(s source.Source) Trouble {
	at := s.At()
	switch {
	case s.Code == "AssumeRoleUnauthorizedAccess":
		return Trouble{Is: "EC2 may not assume the instance's role", Remedy: "let its trust policy name ec2.amazonaws.com"}
	case s.Code == "InstanceProfileNotFound" || s.Name == source.IMDS && s.Status == http.StatusNotFound:
		return Trouble{Is: "the instance has no role: " + at + " knows none", Remedy: "give it an instance profile with a role; or " + noProxy}
	case s.Name == source.IMDS && (s.Status == http.StatusUnauthorized || s.Put):
		return Trouble{Is: at + " wants IMDSv2's token, and the request for one (PUT) hung or was refused", Remedy: hopLimit + "; " + noProxy}
	case s.Code == "ResourceNotFoundException":
		return Trouble{Is: "the pod's service account has no Pod Identity association", Remedy: "make one: aws eks create-pod-identity-association"}
	case s.Code == "InvalidTokenException" || s.Code == "ExpiredTokenException":
		return Trouble{Is: "EKS refuses the pod's token",
			Remedy: "check that the file in AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE is renewed, and of this cluster; its audience is pods.eks.amazonaws.com"}
	case s.Code == "InvalidRequestException" || s.Code == "InvalidParameterException":
		return Trouble{Is: at + " doesn't understand the request", Remedy: "check AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"}
	case s.Code == "NoIdInRequest" || s.Code == "InvalidIdInRequest" || s.Code == "NoCredentialsAssociated":
		return Trouble{Is: at + " has no credentials for this task", Remedy: "give the task definition a taskRoleArn, and leave AWS_CONTAINER_CREDENTIALS_RELATIVE_URI as ECS sets it"}
	}
	switch s.Kind() {
	case provider.ErrThrottled, provider.ErrUnavailable:
		return Trouble{Is: at + " fails or is busy", Remedy: "try again later; if it goes on, look at its log, and " + noProxy}
	case provider.ErrAccessDenied:
		return Trouble{Is: "AWS refused the credentials' own source",
			Remedy: "for Pod Identity, check the association and the role's trust in pods.eks.amazonaws.com (sts:AssumeRole and sts:TagSession)"}
	}
	return Trouble{Is: "what answers isn't " + at, Remedy: noProxy + "; check AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_EC2_METADATA_SERVICE_ENDPOINT if set"}
}
