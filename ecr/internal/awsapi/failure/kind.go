package failure

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/transport"
	"github.com/rise-deploy/rise-registry-go/provider"
)

func kindOf(ctx context.Context, op string, err error) provider.Kind {
	var bad transport.BadAnswer
	if errors.As(err, &bad) {
		return provider.ErrBadResponse
	}
	if asked := sourceOf(err); asked != nil && asked.Status != 0 {
		return asked.Kind()
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
	if op == OpCredentials {
		return provider.ErrMisconfigured
	}
	var undecoded *smithy.DeserializationError
	if errors.As(err, &undecoded) {
		return provider.ErrBadResponse
	}
	return provider.ErrMisconfigured // the SDK refused to send: endpoint, region, parameters
}
