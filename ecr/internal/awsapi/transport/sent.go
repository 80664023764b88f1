package transport

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// sentError is the error of a call with the secrets that were sent with it: those of the SDK's own calls for credentials, too, which nobody
// else here knows.
type sentError struct {
	error
	secrets func() []string // a function, as printers follow fields
}

func (e *sentError) Unwrap() error { return e.error }

// Sent is what err knows to have been sent of secrets.
func Sent(err error) []string {
	var sent *sentError
	if errors.As(err, &sent) {
		return sent.secrets()
	}
	return nil
}

// secretHeaders are those of signed requests, of SSO and of IMDS.
var secretHeaders = []string{"Authorization", "X-Amz-Security-Token", "X-Amz-Sso_bearer_token", "X-Aws-Ec2-Metadata-Token", "Dpop"}

// rememberSent makes errors remember what was sent.
func rememberSent(s *middleware.Stack) error {
	return s.Deserialize.Add(remembersSent{}, middleware.Before)
}

// remembersSent is a middleware without a closure: each credential passes it twice.
type remembersSent struct{}

func (remembersSent) ID() string { return "RiseRememberSent" }

func (remembersSent) HandleDeserialize(
	ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	request, ok := in.Request.(*smithyhttp.Request)
	if err == nil || !ok {
		return out, metadata, err
	}
	var secrets []string
	for _, name := range secretHeaders {
		value := request.Header.Get(name)
		if _, signature, ok := strings.Cut(value, "Signature="); ok { // the rest is names: region, headers
			value = signature
		}
		secrets = append(secrets, value)
	}
	if body := bodyOf(request); body != "" {
		switch awsmiddleware.GetServiceID(ctx) {
		case "STS": // the one secret in a form
			if form, err := url.ParseQuery(body); err == nil {
				secrets = append(secrets, form.Get("WebIdentityToken"))
			}
		case "SSO OIDC", "Signin": // refresh tokens
			secrets = append(secrets, body)
		}
	}
	return out, metadata, &sentError{err, func() []string { return secrets }}
}

func bodyOf(r *smithyhttp.Request) string {
	if r.GetStream() == nil || r.RewindStream() != nil {
		return ""
	}
	body, err := io.ReadAll(r.GetStream())
	if err != nil || r.RewindStream() != nil {
		return ""
	}
	return string(body)
}
