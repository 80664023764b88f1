package ecr

import (
	"context"
	"io"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxResponse is far above what STS and ECR answer, whichever call.
const maxResponse = 4 << 20

// boundedResponses makes the SDK read at most maxResponse bytes of an answer: what is longer arrives truncated, and so
// fails to parse.
func boundedResponses() []func(*middleware.Stack) error {
	limit := middleware.DeserializeMiddlewareFunc("RiseBoundResponse", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if response, ok := out.RawResponse.(*smithyhttp.Response); ok && response.Body != nil {
			body := response.Body
			response.Body = struct {
				io.Reader
				io.Closer
			}{io.LimitReader(body, maxResponse), body}
		}
		return out, metadata, err
	})
	return []func(*middleware.Stack) error{
		func(s *middleware.Stack) error { return s.Deserialize.Add(limit, middleware.After) },
	}
}
