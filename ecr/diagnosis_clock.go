package ecr

import (
	"errors"
	"time"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// clockOffset is how far AWS's clock is ahead of this machine's, by the answer that err is.
func clockOffset(err error) (time.Duration, bool) {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil || response.Response.Response == nil {
		return 0, false
	}
	date, ok := headerDate(response.Response.Header)
	return time.Until(date), ok
}

// answeredOffset is clockOffset for an answer that is no error.
func answeredOffset(metadata middleware.Metadata) (time.Duration, bool) {
	date, ok := dateOf(metadata)
	return time.Until(date), ok
}
