package awsapi

import (
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/transport"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
)

// BadAnswer is an answer of AWS that can't be right. Its text holds nothing of the answer.
type BadAnswer = transport.BadAnswer

// No age is taken from this machine's clock, which may be off: it is the difference of two times of AWS's, of which its
// answer's Date is one.

// Undated is an answer of which nobody knows when it was given.
const Undated = BadAnswer("it has no date, so that nobody can tell how old or how long something is")

// dateOf is AWS's own time of an answer, to the second; of several attempts, that of the one that counts.
func dateOf(metadata middleware.Metadata) (time.Time, bool) {
	response, ok := awsmiddleware.GetRawResponse(metadata).(*smithyhttp.Response)
	if !ok || response.Response == nil {
		return time.Time{}, false
	}
	return failure.HeaderDate(response.Header)
}

// requestID is AWS's number of a request that was answered.
func requestID(metadata middleware.Metadata) string {
	id, _ := awsmiddleware.GetRequestIDMetadata(metadata)
	return scrub.ID(id)
}
