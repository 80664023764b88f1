package failure

import (
	"errors"
	"net/http"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// BadClock is from when on a clock is wrong: AWS takes signatures that are five minutes off.
const BadClock = 5 * time.Minute

// HeaderDate is AWS's own time of an answer, to the second. It isn't known of a cache's.
func HeaderDate(header http.Header) (time.Time, bool) {
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

// clockOffset is how far AWS's clock is ahead of this machine's, by the answer that err is.
func clockOffset(err error) (time.Duration, bool) {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil || response.Response.Response == nil {
		return 0, false
	}
	date, ok := HeaderDate(response.Response.Header)
	return time.Until(date), ok
}

// IsClock reports whether err is a refusal that another clock of this machine's might not get.
func IsClock(err error) bool {
	offset, known := clockOffset(err)
	return known && offset.Abs() >= BadClock && refusalOf(err).Denied()
}
