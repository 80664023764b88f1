package ecr

import (
	"errors"
	"net/http"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// clockOffset is how far AWS's clock is ahead of this machine's, by the answer that err is.
func clockOffset(err error) (time.Duration, bool) {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil || response.Response.Response == nil {
		return 0, false
	}
	return offsetOf(response.Response.Header)
}

// answeredOffset is clockOffset for an answer that is no error.
func answeredOffset(metadata middleware.Metadata) (time.Duration, bool) {
	response, ok := awsmiddleware.GetRawResponse(metadata).(*smithyhttp.Response)
	if !ok || response.Response == nil {
		return 0, false
	}
	return offsetOf(response.Header)
}

func offsetOf(header http.Header) (time.Duration, bool) {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0, false
	}
	return time.Until(date), true
}
