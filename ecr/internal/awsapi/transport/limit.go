package transport

import (
	"context"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/source"
)

// boundsOf are those of an operation of ECR's that answers more than others do.
func boundsOf(ctx context.Context, request any) bounds {
	if awsmiddleware.GetServiceID(ctx) != "ECR" {
		return smallAnswer
	}
	switch awsmiddleware.GetOperationName(ctx) {
	case describeRepositories:
		if isPage(request) {
			return pageAnswer
		}
	case "GetLifecyclePolicy", "PutLifecyclePolicy", "DeleteLifecyclePolicy", "GetRepositoryPolicy", "GetRegistryPolicy", "ListTagsForResource",
		"DescribeRepositoryCreationTemplates", "DescribePullThroughCacheRules":
		return documentAnswer
	}
	return smallAnswer
}

const errTooLarge = BadAnswer("it is longer than any answer to this call, or malformed")

// boundedResponses makes the SDK see no answer that can't be one. Of an error's, only the body is taken away: its status says
// enough.
func boundedResponses(s *middleware.Stack) error {
	return s.Deserialize.Add(limiter{s.ID()}, middleware.After)
}

type limiter struct{ call string }

func (limiter) ID() string { return "RiseBoundResponse" }

func (l limiter) HandleDeserialize(
	ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	in.Request = unrepeatable(in.Request)
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok || response.Body == nil {
		return out, metadata, err
	}
	fromSource, most := source.Asked(ctx, l.call), smallAnswer
	if !fromSource {
		most = boundsOf(ctx, in.Request)
	}
	failed := response.StatusCode < 200 || response.StatusCode > 299
	if failed {
		most = smallAnswer
	}
	answer := readAnswer(response.Body, most)
	switch {
	case !answer.fits && !failed:
		return out, metadata, closing(response, errTooLarge)
	case !answer.fits:
		answer = &pieces{Closer: response.Body}
	case !failed && answer.err == nil && fromSource:
		if err := source.Check(l.call, in.Request, answer.bytes()); err != nil {
			return out, metadata, closing(response, err)
		}
	}
	response.Body = answer
	return out, metadata, nil
}

func closing(response *smithyhttp.Response, err error) error {
	_ = response.Body.Close() // nothing more is read
	return err
}
