package ecr

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// stepError names the step that failed inside the SDK's search for credentials.
type stepError struct {
	op  string
	err error
}

func (e *stepError) Error() string { return e.op + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// badAnswer is an answer of AWS that can't be right. Its text holds nothing of the answer.
type badAnswer string

func (e badAnswer) Error() string { return "AWS's answer can't be used: " + string(e) }

var (
	errNoCredentials = errors.New("the AWS SDK's default chain has none")
	errNoKeys        = errors.New("the credentials that were found are empty")
)

// classify makes a [provider.Error] of an error that a call with ctx returned. secrets are kept out of it.
func (p *Provider) classify(ctx context.Context, op, project string, err error, secrets ...string) error {
	return classify(ctx, p.setup, op, project, err, secrets...)
}

func classify(ctx context.Context, s policy.Setup, op, project string, err error, secrets ...string) *provider.Error {
	var step *stepError
	if errors.As(err, &step) {
		op, err = step.op, step.err
	}
	secrets = append(slices.Clone(secrets), sentSecrets(err)...)
	if retried := retriedError(ctx); retried != nil && ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = retried
	}
	e := &provider.Error{Op: op, Project: project, Err: newCause(err, secrets, s.AccountID, s.RepoPrefix+project, project)}
	e.Kind = kindOf(ctx, op, err)
	e.Hint = scrub.Redact(explain(s, op, e.Kind, err).hint(), secrets)
	var response interface{ ServiceRequestID() string }
	if errors.As(err, &response) && response.ServiceRequestID() != "" {
		e.Details = append(e.Details, slog.String("request_id", scrub.ID(response.ServiceRequestID())))
	}
	return e
}

// Error codes that say that AWS doesn't accept who we are or what we may do (STS and ECR API References, "Common Errors").
var deniedCodes = map[string]bool{
	"AccessDenied": true, "AccessDeniedException": true, "UnauthorizedOperation": true, "NotAuthorized": true,
	"ExpiredToken": true, "ExpiredTokenException": true, "InvalidClientTokenId": true, "UnrecognizedClientException": true,
	"SignatureDoesNotMatch": true, "InvalidSignatureException": true, "IncompleteSignature": true,
	"MissingAuthenticationToken": true, "MissingAuthenticationTokenException": true, "AuthFailure": true,
	"InvalidIdentityToken": true, "IDPRejectedClaim": true, "OptInRequired": true, "RequestExpired": true,
}

func kindOf(ctx context.Context, op string, err error) provider.Kind {
	var bad badAnswer
	if errors.As(err, &bad) {
		return provider.ErrBadResponse
	}
	if source := sourceOf(err); source != nil && source.status != 0 {
		return source.kind()
	}
	status := 0
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch code := api.ErrorCode(); {
		case isThrottle(code) || status == http.StatusTooManyRequests:
			return provider.ErrThrottled
		case isUsedUp(code):
			return provider.ErrMisconfigured
		case retriedCodes[code] == tooSlow:
			return provider.ErrTimeout
		case deniedCodes[code]:
			return provider.ErrAccessDenied
		case status >= 500 || api.ErrorFault() == smithy.FaultServer:
			return provider.ErrUnavailable
		case code == "IDPCommunicationError":
			return provider.ErrUnavailable
		case code == "RepositoryNotFoundException":
			return provider.ErrNotFound
		case code == "RegionDisabledException": // a 403, but nobody's rights help
			return provider.ErrMisconfigured
		case code == "" || code == unknownError: // whatever its status: a proxy's or firewall's 403 is no word of AWS on rights
			return provider.ErrBadResponse
		case status == http.StatusUnauthorized || status == http.StatusForbidden:
			return provider.ErrAccessDenied
		default: // AWS understood, and refuses what we are configured to ask
			return provider.ErrMisconfigured
		}
	}
	switch { // whichever clock ended: the caller's, an attempt's, or that of a connection to be made
	case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return provider.ErrTimeout
	case status == http.StatusTooManyRequests:
		return provider.ErrThrottled
	case status >= 500:
		return provider.ErrUnavailable
	case status != 0:
		return provider.ErrBadResponse
	}
	var file *fs.PathError // of which the cause looks like a network's error
	if errors.As(err, &file) {
		return provider.ErrMisconfigured
	}
	var sent *smithyhttp.RequestSendError
	var network net.Error
	if errors.As(err, &sent) || errors.As(err, &network) {
		if errors.As(err, &network) && network.Timeout() {
			return provider.ErrTimeout
		}
		return provider.ErrUnavailable
	}
	if op == opCredentials {
		return provider.ErrMisconfigured
	}
	var undecoded *smithy.DeserializationError
	if errors.As(err, &undecoded) {
		return provider.ErrBadResponse
	}
	return provider.ErrMisconfigured // the SDK refused to send: endpoint, region, parameters
}

// unknownError is the SDK's code for an error answer that isn't AWS's.
const unknownError = "UnknownError"

// cause is an upstream error that is safe to print: without secrets, bodies and the canonical strings that AWS puts into
// SignatureDoesNotMatch, whatever answers in AWS's place. It unwraps to the API's error, so scrubbed, and to the context's.
type cause struct {
	text   string
	unwrap []error
}

func (e *cause) Error() string   { return e.text }
func (e *cause) Unwrap() []error { return e.unwrap }

// newCause makes a cause of err. known are names of ours that AWS's message may hold.
func newCause(err error, secrets []string, known ...string) error {
	var bad badAnswer
	if errors.As(err, &bad) {
		return bad
	}
	c := newLocalCause(err)
	if source := sourceOf(err); source != nil {
		c.text = scrub.Line(source.Error(), secrets)
		return c
	}
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != unknownError {
		clean := &smithy.GenericAPIError{
			Code: scrub.Code(api.ErrorCode()), Message: scrub.Said(api.ErrorMessage(), secrets, known...), Fault: api.ErrorFault(),
		}
		c.unwrap = append(c.unwrap, clean)
		c.text = strings.TrimSuffix(clean.Code+": "+clean.Message, ": ")
		return c
	}
	c.text = scrub.Line(transportText(err), secrets)
	return c
}

// newLocalCause makes a cause of an error that no answer is in: of this machine's files and variables.
func newLocalCause(err error) *cause {
	c := &cause{text: scrub.Line(err.Error(), nil)}
	for _, ended := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, ended) {
			c.unwrap = append(c.unwrap, ended)
		}
	}
	return c
}

// transportText is the innermost part of err that says something to an operator. Errors of HTTP and of parsers may quote
// what was received, so those are named only.
func transportText(err error) string {
	var undecoded *smithy.DeserializationError
	var response *smithyhttp.ResponseError
	switch {
	case errors.As(err, &response) && response.HTTPStatusCode() > http.StatusOK:
		return fmt.Sprintf("HTTP status %d with a body that isn't AWS's", response.HTTPStatusCode())
	case errors.As(err, &undecoded):
		return "the answer is malformed or incomplete"
	}
	var process *processcreds.ProviderError
	var exit *exec.ExitError
	switch { // the SDK quotes what a credential_process printed: keys
	case errors.As(err, &process) && errors.As(err, &exit):
		return "the profile's credential_process failed: " + exit.Error()
	case errors.As(err, &process):
		return "the profile's credential_process failed, or printed what isn't its JSON"
	}
	var sent *url.Error
	if errors.As(err, &sent) {
		host := ""
		if u, parseErr := url.Parse(sent.URL); parseErr == nil {
			host = u.Host + ": "
		}
		return host + scrub.Unanswered(err)
	}
	if m := unreadFile.FindStringSubmatch(err.Error()); m != nil { // of which the SDK makes a text
		return m[1] + ": " + scrub.Said(m[2], nil)
	}
	return scrub.Said(err.Error(), nil)
}

var unreadFile = regexp.MustCompile(`(?:unable to read file at|failed to read authorization token from) (?:/[A-Za-z0-9._@-]+)+: (open (?:/[A-Za-z0-9._@-]+)+): (.*)$`)
