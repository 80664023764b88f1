package metrics

import (
	"context"
	"errors"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/rise-deploy/rise-registry-go/ecr"
)

// Codes that are told apart, beside the SDK's throttling codes: an upstream that makes codes up must not make series.
var knownCodes = map[string]bool{
	"AccessDenied": true, "AccessDeniedException": true, "ExpiredToken": true, "ExpiredTokenException": true,
	"InvalidClientTokenId": true, "UnrecognizedClientException": true, "SignatureDoesNotMatch": true, "InvalidSignatureException": true,
	"ValidationError": true, "ValidationException": true, "InvalidParameterException": true, "RegionDisabledException": true,
	"InvalidIdentityToken": true, "IDPRejectedClaim": true, "IDPCommunicationError": true, "PackedPolicyTooLarge": true,
	"RepositoryNotFoundException": true, "RepositoryAlreadyExistsException": true, "LifecyclePolicyNotFoundException": true,
	"RepositoryPolicyNotFoundException": true, "LimitExceededException": true, "TooManyTagsException": true, "ServerException": true,
	"KmsException": true, "InternalFailure": true, "ServiceUnavailable": true, "RequestExpired": true,
}

// Upstream returns the option that counts an ecr provider's calls to AWS.
func (m *Metrics) Upstream() ecr.Option {
	// After Finalize, in which the SDK finds the credentials for an attempt: that may be other calls, which fail for themselves.
	count := middleware.DeserializeMiddlewareFunc("RiseMetrics", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		start := time.Now()
		out, metadata, err := next.HandleDeserialize(ctx, in)
		service, operation := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
		m.attempts.WithLabelValues(service, operation, codeOf(err)).Inc()
		m.attemptDurations.WithLabelValues(service, operation).Observe(time.Since(start).Seconds())
		return out, metadata, err
	})
	return ecr.WithLoadOptions(config.WithAPIOptions([]func(*middleware.Stack) error{
		func(s *middleware.Stack) error { return s.Deserialize.Add(count, middleware.Before) },
	}))
}

func codeOf(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &api):
		code := api.ErrorCode()
		if _, throttle := retry.DefaultThrottleErrorCodes[code]; throttle || knownCodes[code] {
			return code
		}
		return "other"
	case errors.Is(err, context.Canceled):
		return "canceled"
	default:
		return "transport"
	}
}
