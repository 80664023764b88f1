package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
)

// Error is a source's failure. Its text shows nothing of an answer.
type Error struct {
	Source
	err error // what the SDK makes of it: not to be shown
}

// Error implements error.
func (e *Error) Error() string {
	text := e.At()
	switch {
	case e.Status == 0:
		return text + ": " + scrub.Unanswered(e.err)
	case e.Code != "":
		return fmt.Sprintf("%s answered HTTP status %d, %s", text, e.Status, e.Code)
	case e.Status < 300:
		return fmt.Sprintf("%s answered HTTP status %d with a body that isn't its", text, e.Status)
	}
	return fmt.Sprintf("%s answered HTTP status %d", text, e.Status)
}

// Unwrap returns the SDK's error.
func (e *Error) Unwrap() error { return e.err }

// Asked reports whether a call is to one of the sources: they alone are no service, which would name its call in the context. There may
// be the name of another, to a service, that needs the credentials.
func Asked(ctx context.Context, call string) bool {
	return awsmiddleware.GetOperationName(ctx) != call
}

// The calls that a credential takes. No source has one of these names.
const (
	callAssume = "AssumeRole"
	callToken  = "GetAuthorizationToken"
)

// Named makes the errors of sources say which and where.
func Named(s *middleware.Stack) error {
	call := s.ID()
	if call == callAssume || call == callToken { // no source's, and what each credential takes
		return nil
	}
	return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("RiseNameSource", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		request, ok := in.Request.(*smithyhttp.Request)
		if err == nil || !ok || !Asked(ctx, call) {
			return out, metadata, err
		}
		s := Source{
			Name: nameOf(call, request.URL.Hostname()), Host: request.URL.Host, Put: request.Method == http.MethodPut, Code: codeOf(err),
		}
		if response, ok := out.RawResponse.(*smithyhttp.Response); ok {
			s.Status = response.StatusCode
		}
		return out, metadata, &Error{s, err}
	}), middleware.Before)
}

// Of finds the failure of a source in err, nil if there is none: also where a caller's own credentials provider asked it, which
// doesn't say where.
func Of(err error) *Error {
	var named *Error
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
		return &Error{Source{Name: IMDS, Status: response.HTTPStatusCode()}, err}
	case metadata:
		return &Error{Source{Name: IMDS, Status: http.StatusOK, Code: codeOf(err)}, err}
	case errors.As(err, &api):
		s := Source{Name: Container, Code: codeOf(err)}
		var answered interface{ HTTPStatusCode() int }
		if errors.As(err, &answered) {
			s.Status = answered.HTTPStatusCode()
		}
		return &Error{s, err}
	case errors.As(err, &undecoded):
		return &Error{Source{Name: Container, Status: http.StatusOK}, err}
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
