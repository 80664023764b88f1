package ecr

import (
	"net/http"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// No age is taken from this machine's clock, which may be off: it is the difference of two times of AWS's, of which its
// answer's Date is one.

const undated = badAnswer("it has no date, so that nobody can tell how old or how long something is")

// dateOf is AWS's own time of an answer, to the second; of several attempts, that of the one that counts.
func dateOf(metadata middleware.Metadata) (time.Time, bool) {
	response, ok := awsmiddleware.GetRawResponse(metadata).(*smithyhttp.Response)
	if !ok || response.Response == nil {
		return time.Time{}, false
	}
	return headerDate(response.Header)
}

func headerDate(header http.Header) (time.Time, bool) {
	if header.Get("Age") != "" { // a cache's answer, and the date of another time
		return time.Time{}, false
	}
	dates := header.Values("Date")
	for _, other := range dates[min(1, len(dates)):] {
		if other != dates[0] { // one is somebody else's
			return time.Time{}, false
		}
	}
	date, err := http.ParseTime(header.Get("Date"))
	return date.UTC(), err == nil
}
