package ecr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Where the SDK finds credentials that it doesn't sign for: the endpoints of ECS, EKS Pod Identity and EC2, by plain HTTP at addresses that
// a proxy or a captive page may answer for. What they answer holds keys, and what others answer may hold what they were sent: nothing
// of it is ever shown.
const (
	sourceECS       = "the ECS credentials endpoint"
	sourcePod       = "the EKS Pod Identity agent"
	sourceContainer = "the container credentials endpoint"
	sourceIMDS      = "the EC2 instance metadata service"
)

// The addresses of the sources, which NO_PROXY has to hold where a proxy is set.
const (
	addressECS   = "169.254.170.2"
	addressPod   = "169.254.170.23"
	addressPod6  = "fd00:ec2::23"
	addressIMDS  = "169.254.169.254"
	addressIMDS6 = "fd00:ec2::254"
)

const noProxy = "keep " + addressECS + " (ECS), " + addressPod + " and " + addressPod6 + " (EKS Pod Identity), " + addressIMDS + " and " + addressIMDS6 +
	" (instance metadata) away from proxies: list them in NO_PROXY"

const hopLimit = "in a container on EC2, raise the hop limit of IMDSv2: aws ec2 modify-instance-metadata-options --instance-id ID " +
	"--http-put-response-hop-limit 2; or use IRSA or Pod Identity"

// getCredentials is the name of the SDK's call to the container endpoints; those to IMDS have others.
const getCredentials = "GetCredentials"

// isSource reports whether a call is to one of the sources: they alone are no service, which would name its call in the context. There may
// be the name of another, to a service, that needs the credentials.
func isSource(ctx context.Context, call string) bool {
	return awsmiddleware.GetOperationName(ctx) != call
}

func sourceAt(call, host string) string {
	address, err := netip.ParseAddr(host)
	if err == nil {
		switch address.Unmap().String() {
		case addressECS:
			return sourceECS
		case addressPod, addressPod6:
			return sourcePod
		}
	}
	if call == getCredentials {
		return sourceContainer
	}
	return sourceIMDS
}

// sourceError is what is shown of a source's failure.
type sourceError struct {
	source string
	host   string // "" if it isn't known
	status int    // 0 if there was no answer
	put    bool   // it was IMDS's call for a token
	code   string // one of sourceCodes
	err    error  // what the SDK makes of it: not to be shown
}

func (e *sourceError) at() string {
	if e.host == "" {
		return e.source
	}
	return e.source + " at " + e.host
}

func (e *sourceError) Error() string {
	text := e.at()
	switch {
	case e.status == 0:
		return text + ": " + scrub.Unanswered(e.err)
	case e.code != "":
		return fmt.Sprintf("%s answered HTTP status %d, %s", text, e.status, e.code)
	case e.status < 300:
		return fmt.Sprintf("%s answered HTTP status %d with a body that isn't its", text, e.status)
	}
	return fmt.Sprintf("%s answered HTTP status %d", text, e.status)
}

func (e *sourceError) Unwrap() error { return e.err }

// errNoSource is of an answer with a good status.
var errNoSource = errors.New("the answer isn't a credentials endpoint's")

// The calls that a credential takes. No source has one of these names.
const (
	callAssume = "AssumeRole"
	callToken  = "GetAuthorizationToken"
)

// namedSources makes the errors of sources say which and where.
func namedSources(s *middleware.Stack) error {
	call := s.ID()
	if call == callAssume || call == callToken { // no source's, and what each credential takes
		return nil
	}
	return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("RiseNameSource", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		request, ok := in.Request.(*smithyhttp.Request)
		if err == nil || !ok || !isSource(ctx, call) {
			return out, metadata, err
		}
		e := &sourceError{source: sourceAt(call, request.URL.Hostname()), host: request.URL.Host, put: request.Method == http.MethodPut, err: err}
		if response, ok := out.RawResponse.(*smithyhttp.Response); ok {
			e.status = response.StatusCode
		}
		e.code = sourceCode(err)
		return out, metadata, e
	}), middleware.Before)
}

// sourceOf finds the failure of a source in err, nil if there is none: also where a caller's own credentials provider asked it, which
// doesn't say where.
func sourceOf(err error) *sourceError {
	var named *sourceError
	if errors.As(err, &named) {
		return named
	}
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	var undecoded *smithy.DeserializationError
	metadata := strings.Contains(err.Error(), "EC2 IMDS role credentials")
	switch {
	case errors.As(err, &response):
		if serviceOf(err) != "ec2imds" {
			return nil // AWS's own
		}
		return &sourceError{source: sourceIMDS, status: response.HTTPStatusCode(), err: err}
	case metadata:
		return &sourceError{source: sourceIMDS, status: http.StatusOK, code: sourceCode(err), err: err}
	case errors.As(err, &api):
		e := &sourceError{source: sourceContainer, code: sourceCode(err), err: err}
		var answered interface{ HTTPStatusCode() int }
		if errors.As(err, &answered) {
			e.status = answered.HTTPStatusCode()
		}
		return e
	case errors.As(err, &undecoded):
		return &sourceError{source: sourceContainer, status: http.StatusOK, err: err}
	}
	return nil
}

// serviceOf is the service whose call failed, of several the one that the others needed.
func serviceOf(err error) string {
	service := ""
	for failed := new(smithy.OperationError); errors.As(err, &failed); err = failed.Err {
		service = failed.ServiceID
	}
	return service
}

// sourceCodes are what the sources call their refusals, and the kinds that they are of: EKS Auth's, which the Pod Identity agent passes
// on in brackets; the ECS agent's; and IMDS's, in answers of status 200.
var sourceCodes = map[string]provider.Kind{
	"AccessDeniedException":        provider.ErrAccessDenied,
	"ExpiredTokenException":        provider.ErrAccessDenied,
	"InvalidTokenException":        provider.ErrAccessDenied,
	"ResourceNotFoundException":    provider.ErrMisconfigured,
	"InvalidRequestException":      provider.ErrMisconfigured,
	"InvalidParameterException":    provider.ErrMisconfigured,
	"ThrottlingException":          provider.ErrThrottled,
	"Throttling":                   provider.ErrThrottled,
	"ServiceUnavailableException":  provider.ErrUnavailable,
	"InternalServerException":      provider.ErrUnavailable,
	"NoIdInRequest":                provider.ErrMisconfigured,
	"InvalidIdInRequest":           provider.ErrMisconfigured,
	"NoCredentialsAssociated":      provider.ErrMisconfigured,
	"CredentialsUninitialized":     provider.ErrUnavailable,
	"InternalServerError":          provider.ErrUnavailable,
	"AssumeRoleUnauthorizedAccess": provider.ErrAccessDenied,
	"InstanceProfileNotFound":      provider.ErrMisconfigured,
}

var bracketed = regexp.MustCompile(`\(([A-Za-z]{1,40})\): `)

// sourceCode is the code of a refusal that is one of the sources' own, "" if it is something else.
func sourceCode(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	code := api.ErrorCode()
	if m := bracketed.FindStringSubmatch(api.ErrorMessage()); code == "" && m != nil {
		code = m[1]
	}
	if sourceCodes[code] == "" {
		return ""
	}
	return code
}

// kind is ErrBadResponse for what isn't the source's: whatever its status, a proxy's 403 is no word on rights.
func (e *sourceError) kind() provider.Kind {
	switch {
	case e.code != "":
		return sourceCodes[e.code]
	case e.status == http.StatusTooManyRequests:
		return provider.ErrThrottled
	case e.status >= http.StatusInternalServerError:
		return provider.ErrUnavailable
	case e.source == sourceIMDS && (e.status == http.StatusNotFound || e.status == http.StatusUnauthorized):
		return provider.ErrMisconfigured
	}
	return provider.ErrBadResponse
}

func (e *sourceError) explain() trouble {
	at := e.at()
	switch {
	case e.code == "AssumeRoleUnauthorizedAccess":
		return trouble{is: "EC2 may not assume the instance's role", remedy: "let its trust policy name ec2.amazonaws.com"}
	case e.code == "InstanceProfileNotFound" || e.source == sourceIMDS && e.status == http.StatusNotFound:
		return trouble{is: "the instance has no role: " + at + " knows none", remedy: "give it an instance profile with a role; or " + noProxy}
	case e.source == sourceIMDS && (e.status == http.StatusUnauthorized || e.put):
		return trouble{is: at + " wants IMDSv2's token, and the request for one (PUT) hung or was refused", remedy: hopLimit + "; " + noProxy}
	case e.code == "ResourceNotFoundException":
		return trouble{is: "the pod's service account has no Pod Identity association", remedy: "make one: aws eks create-pod-identity-association"}
	case e.code == "InvalidTokenException" || e.code == "ExpiredTokenException":
		return trouble{is: "EKS refuses the pod's token",
			remedy: "check that the file in AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE is renewed, and of this cluster; its audience is pods.eks.amazonaws.com"}
	case e.code == "InvalidRequestException" || e.code == "InvalidParameterException":
		return trouble{is: at + " doesn't understand the request", remedy: "check AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"}
	case e.code == "NoIdInRequest" || e.code == "InvalidIdInRequest" || e.code == "NoCredentialsAssociated":
		return trouble{is: at + " has no credentials for this task", remedy: "give the task definition a taskRoleArn, and leave AWS_CONTAINER_CREDENTIALS_RELATIVE_URI as ECS sets it"}
	}
	switch e.kind() {
	case provider.ErrThrottled, provider.ErrUnavailable:
		return trouble{is: at + " fails or is busy", remedy: "try again later; if it goes on, look at its log, and " + noProxy}
	case provider.ErrAccessDenied:
		return trouble{is: "AWS refused the credentials' own source",
			remedy: "for Pod Identity, check the association and the role's trust in pods.eks.amazonaws.com (sts:AssumeRole and sts:TagSession)"}
	}
	return trouble{is: "what answers isn't " + at, remedy: noProxy + "; check AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_EC2_METADATA_SERVICE_ENDPOINT if set"}
}

var roleName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,64}$`)

// checkSource reports what is wrong with an answer with a good status: that it isn't of the form that a source's has, which the SDK would
// quote, as a role's name or in a parser's error, or take for keys; or that it is a refusal.
func checkSource(call string, request any, body []byte) error {
	r, ok := request.(*smithyhttp.Request)
	switch {
	case !ok:
		return errNoSource
	case call != getCredentials && !strings.Contains(r.URL.Path, "/iam/security-credentials/"):
		return nil // the token for IMDS: net/http refuses what is no header
	case call != getCredentials && strings.HasSuffix(r.URL.Path, "/"): // the list of roles, which has one
		role, _, _ := strings.Cut(string(body), "\n")
		if !roleName.MatchString(strings.TrimSuffix(role, "\r")) {
			return errNoSource
		}
		return nil
	}
	var answer struct{ Code, AccessKeyID, SecretAccessKey string }
	switch err := json.Unmarshal(body, &answer); {
	case err != nil:
		return errNoSource
	case call != getCredentials && sourceCodes[answer.Code] != "":
		return &smithy.GenericAPIError{Code: answer.Code}
	case call != getCredentials && !strings.EqualFold(answer.Code, "Success"), answer.AccessKeyID == "" || answer.SecretAccessKey == "":
		return errNoSource
	}
	return nil
}
