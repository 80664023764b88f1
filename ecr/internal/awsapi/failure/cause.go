package failure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/source"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/transport"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
)

// cause is an upstream's error that is safe to print: without secrets, bodies and the canonical strings that AWS puts into
// SignatureDoesNotMatch, whatever answers in AWS's place. It unwraps to the API's error, so scrubbed, and to the context's.
type cause struct {
	text   string
	unwrap []error
}

func (e *cause) Error() string   { return e.text }
func (e *cause) Unwrap() []error { return e.unwrap }

// sourceOf is [source.Of], which takes an error of AWS's API without its answer for a source's: those that are ours are AWS's.
func sourceOf(err error) *source.Error {
	if errors.As(err, new(*cause)) {
		return nil
	}
	return source.Of(err)
}

// Cause returns what may be shown of err. known are names of ours that AWS's message may hold.
func Cause(err error, secrets []string, known ...string) error {
	var bad transport.BadAnswer
	if errors.As(err, &bad) {
		return bad
	}
	c := local(err)
	if asked := sourceOf(err); asked != nil {
		c.text = scrub.Line(asked.Error(), secrets)
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

// Local is [Cause] for an error that no answer is in: of this machine's files and variables.
func Local(err error) error { return local(err) }

func local(err error) *cause {
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
