package ecr_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// AWS's own sentences say who isn't authorized to do what: they come through whole.
func TestAWSIsQuoted(t *testing.T) {
	t.Parallel()
	const role, user = "arn:aws:iam::123456789012:role/rise-backend-ecr-push", "arn:aws:iam::123456789012:user/rise-backend"
	for _, message := range []string{
		"User: " + user + " is not authorized to perform: sts:AssumeRole on resource: " + role,
		"User: " + user + " is not authorized to perform: sts:TagSession on resource: " + role + " because no identity-based policy allows the sts:TagSession action",
		"User: arn:aws:sts::123456789012:assumed-role/rise-backend/i-0abc123def4567890 is not authorized to perform: ecr:CreateRepository on resource: " +
			"arn:aws:ecr:eu-west-1:123456789012:repository/rise/hello with an explicit deny in a service control policy",
		"User: arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_AdministratorAccess_0123456789abcdef/someone@example.com is not authorized to perform: " +
			"ecr:GetAuthorizationToken on resource: * because no session policy allows the ecr:GetAuthorizationToken action",
		"User: arn:aws-us-gov:sts::123456789012:assumed-role/eks-main-rise-backend-6d5f/botocore-session-1700000000 is not authorized to perform: " +
			"ecr:InitiateLayerUpload on resource: arn:aws-us-gov:ecr:us-gov-west-1:123456789012:repository/rise/hello because no permissions boundary allows the ecr:InitiateLayerUpload action",
		"Not authorized to perform sts:AssumeRoleWithWebIdentity",
		"The security token included in the request is expired",
		"The security token included in the request is invalid.",
		"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
		"Signature expired: 20261127T120000Z is now earlier than 20261127T121000Z (20261127T122500Z - 15 min.)",
		"Signature not yet current: 20261127T122500Z is still later than 20261127T121500Z (20261127T121000Z + 5 min.)",
		"Roles may not be assumed by root accounts.",
		"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
		"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
		"STS is not activated in this region for account:123456789012. Your account administrator can activate STS in this region using the IAM Console.",
		"No OpenIDConnect provider found in your account for https://oidc.eks.eu-west-1.amazonaws.com/id/",
		"Rate exceeded",
		"The repository with name 'rise/hello' does not exist in the registry with id '123456789012'",
		"The maximum number of repositories per registry in the region has been exceeded: 100000",
		"Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: [IMMUTABLE, MUTABLE]'",
		"1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
		"The operation failed because of KMS: arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555 is disabled.",
	} {
		aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
		aws.Inject(ecrtest.Fault{Action: token, Error: "AccessDeniedException", Message: message})
		_, err := aws.provider(t).Credentials(t.Context(), push)
		message = strings.ReplaceAll(message, "https://oidc.eks.eu-west-1.amazonaws.com/id/", provider.Redacted) // a name of somebody's
		require.ErrorContains(t, err, "AccessDeniedException: "+message+" (hint: ")
	}
}

// Nor is a code of AWS's taken for anything else: callers look at them.
func TestCodesAreAWSs(t *testing.T) {
	t.Parallel()
	for _, api := range []smithy.APIError{
		&types.BlockedByOrganizationPolicyException{}, &types.EmptyUploadException{}, &types.ExclusionAlreadyExistsException{}, &types.ExclusionNotFoundException{},
		&types.ImageAlreadyExistsException{}, &types.ImageArchivedException{}, &types.ImageDigestDoesNotMatchException{}, &types.ImageNotFoundException{},
		&types.ImageStorageClassUpdateNotSupportedException{}, &types.ImageTagAlreadyExistsException{}, &types.InvalidLayerException{},
		&types.InvalidLayerPartException{}, &types.InvalidParameterException{}, &types.InvalidTagParameterException{}, &types.KmsException{},
		&types.LayerAlreadyExistsException{}, &types.LayerInaccessibleException{}, &types.LayerPartTooSmallException{}, &types.LayersNotFoundException{},
		&types.LifecyclePolicyNotFoundException{}, &types.LifecyclePolicyPreviewInProgressException{}, &types.LifecyclePolicyPreviewNotFoundException{},
		&types.LimitExceededException{}, &types.PullThroughCacheRuleAlreadyExistsException{}, &types.PullThroughCacheRuleNotFoundException{},
		&types.ReferencedImagesNotFoundException{}, &types.RegistryPolicyNotFoundException{}, &types.RepositoryAlreadyExistsException{},
		&types.RepositoryNotEmptyException{}, &types.RepositoryNotFoundException{}, &types.RepositoryPolicyNotFoundException{}, &types.ScanNotFoundException{},
		&types.SecretNotFoundException{}, &types.ServerException{}, &types.SigningConfigurationNotFoundException{}, &types.TemplateAlreadyExistsException{},
		&types.TemplateNotFoundException{}, &types.TooManyTagsException{}, &types.UnableToAccessSecretException{}, &types.UnableToDecryptSecretValueException{},
		&types.UnableToGetUpstreamImageException{}, &types.UnableToGetUpstreamLayerException{}, &types.UnsupportedImageTypeException{},
		&types.UnsupportedUpstreamRegistryException{}, &types.UploadNotFoundException{}, &types.ValidationException{},
		&ststypes.ExpiredTokenException{}, &ststypes.IDPCommunicationErrorException{}, &ststypes.IDPRejectedClaimException{},
		&ststypes.InvalidAuthorizationMessageException{}, &ststypes.InvalidIdentityTokenException{}, &ststypes.MalformedPolicyDocumentException{},
		&ststypes.PackedPolicyTooLargeException{}, &ststypes.RegionDisabledException{},
		coded("AccessDenied"), coded("UnrecognizedClientException"), coded("InvalidClientTokenId"), coded("SignatureDoesNotMatch"), coded("OptInRequired"),
		coded("RequestExpired"), coded("IncompleteSignature"), coded("AuthFailure"), coded("NotAuthorized"), coded("MissingAuthenticationTokenException"),
		coded("UnauthorizedOperation"), coded("InternalFailure"), coded("ServiceUnavailable"), coded("ServiceQuotaExceededException"),
		coded("RequestTimeTooSkewed"), coded("UnknownOperationException"), coded("SerializationException"), coded("MalformedQueryString"),
	} {
		p := nearby(func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 400, "text/xml", "<ErrorResponse><Error><Code>"+api.ErrorCode()+"</Code><Message>no</Message></Error></ErrorResponse>")
		}).in(t, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "x/secret1", "x/token1")))
		_, err := provider.Issue(t.Context(), p, push)
		var shown smithy.APIError
		require.ErrorAs(t, err, &shown)
		require.Equal(t, api.ErrorCode(), shown.ErrorCode())
	}
}

// What looks like a name or an action of AWS's isn't taken for one where it is somebody's secret.
func TestNamesArentSecrets(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"qwXnbRtzLpJhKvMdFgYcWsTqPzBn", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12"} {
		for _, message := range []string{
			"User: arn:aws:iam::123456789012:user/" + secret + " is not authorized to perform: sts:AssumeRole",
			"User: x is not authorized to perform: sts:" + secret + " on resource: x because no identity-based policy allows the action",
			"User: x is not authorized to perform: token:" + secret,
			secret + ": " + secret, "not be assumed by root " + secret, "role chaining=" + secret,
		} {
			p := nearby(func(w http.ResponseWriter, _ *http.Request) {
				answer(w, 403, "text/xml", "<ErrorResponse><Error><Code>AccessDenied</Code><Message>"+message+"</Message></Error></ErrorResponse>")
			}).in(t, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "x/secret1", "x/token1")))
			hidesPieces(t, shownOf(t, p), secret)
		}
	}
}

type client func(*http.Request) (*http.Response, error)

func (c client) Do(r *http.Request) (*http.Response, error) { return c(r) }

func coded(code string) smithy.APIError { return &smithy.GenericAPIError{Code: code} }

// A session token that comes back in an error of ECR's, in each form that was found to get through.
func TestSessionTokenIsNotEchoed(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	for name, write := range writings {
		for _, cut := range []func(string) string{
			func(s string) string { return s }, func(s string) string { return s[:len(s)/2] }, func(s string) string { return s[:90] }, func(s string) string { return s[30:42] },
		} {
			var sent, said string
			p := aws.provider(t, ecr.WithLoadOptions(config.WithHTTPClient(client(func(r *http.Request) (*http.Response, error) {
				if sent = r.Header.Get("X-Amz-Security-Token"); sent == "" {
					return http.DefaultClient.Do(r)
				}
				said = write(cut(sent))
				return nearby(func(w http.ResponseWriter, _ *http.Request) {
					answer(w, 400, "application/x-amz-json-1.1", `{"__type":"InvalidParameterException","message":`+quote("bad header x-amz-security-token="+said)+`}`)
				}).Do(r)
			}))))
			_, err := provider.Issue(t.Context(), p, push)
			require.ErrorContains(t, err, "InvalidParameterException: bad header [redacted]", name)
			require.NotEmpty(t, sent)
			hidesPieces(t, fmt.Sprintf("%v %+v", err, asError(t, err)), sent, said)
		}
	}
}
