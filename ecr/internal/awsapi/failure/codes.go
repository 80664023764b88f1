package failure

import (
	"errors"

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

// Error codes that say that AWS doesn't accept who we are or what we may do (STS and ECR API References, "Common Errors").
var deniedCodes = map[string]bool{
	"AccessDenied": true, "AccessDeniedException": true, "UnauthorizedOperation": true, "NotAuthorized": true,
	"ExpiredToken": true, "ExpiredTokenException": true, "InvalidClientTokenId": true, "UnrecognizedClientException": true,
	"SignatureDoesNotMatch": true, "InvalidSignatureException": true, "IncompleteSignature": true,
	"MissingAuthenticationToken": true, "MissingAuthenticationTokenException": true, "AuthFailure": true,
	"InvalidIdentityToken": true, "IDPRejectedClaim": true, "OptInRequired": true, "RequestExpired": true,
}

// unknownError is the SDK's code for an error answer that isn't AWS's.
const unknownError = "UnknownError"

func isThrottle(code string) bool { m := retriedCodes[code]; return m == tooFast || m == otherUse }

func isUsedUp(code string) bool { return retriedCodes[code] == usedUp || code == quotaExceeded }

// Throttled reports whether AWS says in err that waiting helps.
func Throttled(err error) bool {
	if err == nil { // as mostly: errors.As would cost an allocation
		return false
	}
	var api smithy.APIError
	return errors.As(err, &api) && isThrottle(api.ErrorCode())
}

// QuotaUsedUp reports what isn't throttling though the SDK says so.
func QuotaUsedUp(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && isUsedUp(api.ErrorCode())
}
