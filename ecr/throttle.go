package ecr

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

// meaning is what a code that the SDK would try again after says.
type meaning uint8

const (
	tooFast  meaning = iota + 1 // waiting helps, and so does asking less often
	usedUp                      // a quota is: nothing helps that is done here
	tooSlow                     // AWS waited for us in vain: trying again helps
	otherUse                    // something else is at work on the same: waiting helps
)

// retriedCodes are retry.DefaultThrottleErrorCodes and retry.DefaultRetryableErrorCodes, one by one. What the services that have them
// say about them is in docs/decisions.md.
var retriedCodes = map[string]meaning{
	"Throttling":                             tooFast,
	"ThrottlingException":                    tooFast,
	"ThrottledException":                     tooFast,
	"RequestThrottledException":              tooFast,
	"RequestThrottled":                       tooFast,
	"TooManyRequestsException":               tooFast,
	"RequestLimitExceeded":                   tooFast,
	"ProvisionedThroughputExceededException": tooFast,
	"BandwidthLimitExceeded":                 tooFast,
	"SlowDown":                               tooFast,
	"EC2ThrottledException":                  tooFast,
	"PriorRequestNotComplete":                otherUse,
	"TransactionInProgressException":         otherUse,
	"LimitExceededException":                 usedUp,
	"RequestTimeout":                         tooSlow,
	"RequestTimeoutException":                tooSlow,
}

// quotaExceeded says that too, and is in no list of the SDK's.
const quotaExceeded = "ServiceQuotaExceededException"

func isThrottle(code string) bool { m := retriedCodes[code]; return m == tooFast || m == otherUse }

func isUsedUp(code string) bool { return retriedCodes[code] == usedUp || code == quotaExceeded }

func throttled(err error) bool {
	if err == nil { // as mostly: errors.As would cost an allocation
		return false
	}
	var api smithy.APIError
	return errors.As(err, &api) && isThrottle(api.ErrorCode())
}

// quotaUsedUp reports what isn't throttling though the SDK says so.
func quotaUsedUp(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && isUsedUp(api.ErrorCode())
}

// throttles replaces the SDK's list.
var throttles = retry.IsErrorThrottleFunc(func(err error) aws.Ternary { return aws.BoolTernary(throttled(err)) })
