package awsapi

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
)

const (
	// A throttled call is tried again until its context ends, or this often; the rate at which all calls of the operation go
	// out falls and recovers meanwhile (the SDK's adaptive mode).
	throttledAttempts = 20
	// Any other failure is tried again as often as the SDK does by itself.
	otherAttempts = retry.DefaultMaxAttempts
)

// newRetryer returns the retryer of a client: the one that was asked for (AWS_RETRY_MODE, WithLoadOptions), or one that
// slows down for throttling instead of failing. Either records what it retries.
func newRetryer(cfg aws.Config, sdk aws.Retryer) aws.Retryer {
	if cfg.Retryer == nil && cfg.RetryMode == "" {
		return retryer{RetryerV2: newAdaptive(), limit: otherAttempts, rates: new(sync.Map)}
	}
	if v2, ok := sdk.(aws.RetryerV2); ok {
		return retryer{RetryerV2: v2}
	}
	return plainRetryer{sdk}
}

// plainRetryer is one of a caller's that is of the SDK's older form.
type plainRetryer struct{ aws.Retryer }

func (r plainRetryer) IsErrorRetryable(err error) bool {
	return !failure.QuotaUsedUp(err) && r.Retryer.IsErrorRetryable(err)
}

// throttles replaces the SDK's list.
var throttles = retry.IsErrorThrottleFunc(func(err error) aws.Ternary { return aws.BoolTernary(failure.Throttled(err)) })

func newAdaptive() aws.RetryerV2 {
	return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.Throttles = []retry.IsErrorThrottle{throttles}
		o.FailOnNoAttemptTokens = true // we wait: the SDK's own wait spins when less than a nanosecond is left of it
		o.StandardOptions = append(o.StandardOptions, func(o *retry.StandardOptions) {
			o.MaxAttempts = throttledAttempts
			o.RateLimiter = ratelimit.None // the quota of retries would fail what the adaptive rate slows down
		})
	})
}

type retryer struct {
	aws.RetryerV2
	limit int // of attempts that fail otherwise than by throttling; 0: none of its own
	// rates are the adaptive rates, each a *rate, by operation: AWS's quotas are, and whoever has many repositories made
	// mustn't keep others' tokens waiting. Nil: there are none to wait for.
	rates *sync.Map
}

// rate is how fast one operation's calls go out.
type rate struct {
	aws.RetryerV2
	// cause is why it is what it is: the last throttling of any call. It holds no request.
	cause atomic.Pointer[error]
}

// rate returns that of ctx's operation, nil if there is none to wait for.
func (r retryer) rate(ctx context.Context) *rate {
	if r.rates == nil {
		return nil
	}
	operation := awsmiddleware.GetOperationName(ctx)
	found, ok := r.rates.Load(operation)
	if !ok {
		found, _ = r.rates.LoadOrStore(operation, &rate{RetryerV2: newAdaptive()})
	}
	return found.(*rate)
}

// GetAttemptToken is the adaptive mode's, whose rate falls when an attempt that was throttled gives its token back. The cause
// is there before that: whoever finds the rate fallen has to find why.
func (r *rate) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	release, err := r.RetryerV2.GetAttemptToken(ctx)
	if err != nil {
		return nil, err
	}
	return func(err error) error {
		if failure.Throttled(err) {
			cause := failure.Cause(err, nil)
			r.cause.Store(&cause)
		}
		return release(err)
	}, nil
}

// turn is how long an attempt waits before it looks again whether the adaptive rate lets it out.
const turn = 50 * time.Millisecond

// RetryDelay is called after each attempt that failed with what can be tried again.
func (r retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	if r.limit > 0 && attempt >= r.limit && !failure.Throttled(err) {
		return 0, &retry.MaxAttemptsError{Attempt: attempt, Err: err}
	}
	return r.RetryerV2.RetryDelay(attempt, err)
}

// IsErrorRetryable is asked after each attempt that failed.
func (r retryer) IsErrorRetryable(err error) bool {
	return !failure.QuotaUsedUp(err) && r.RetryerV2.IsErrorRetryable(err)
}

// When a context ends while the SDK waits to try again, its error says only that; which error it was retrying is lost.
// The retryer keeps it: a caller that was throttled for 30 seconds was throttled, not slow, and so was one that was held back
// for others who were throttled.
type attempts struct {
	last      atomic.Pointer[error]
	throttled func(error) // is told of throttling that is waited out, if not nil
}

type attemptsKey struct{}

func recordAttempts(ctx context.Context) context.Context {
	return context.WithValue(ctx, attemptsKey{}, new(attempts))
}

func recordThrottling(ctx context.Context, note func(error)) context.Context {
	return context.WithValue(ctx, attemptsKey{}, &attempts{throttled: note})
}

func (a *attempts) retry(err error) {
	a.last.Store(&err)
	if a.throttled != nil && failure.Throttled(err) {
		a.throttled(err)
	}
}

// retriedError returns the error that the SDK was about to try again after, nil if an attempt was under way.
func retriedError(ctx context.Context) error {
	if a, ok := ctx.Value(attemptsKey{}).(*attempts); ok {
		if err := a.last.Load(); err != nil {
			return *err
		}
	}
	return nil
}

// GetAttemptToken is called at the start of each attempt, and waits for its turn.
func (r retryer) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	a, recorded := ctx.Value(attemptsKey{}).(*attempts)
	var release func(error) error
	var err error
	if rate := r.rate(ctx); rate == nil {
		release, err = r.RetryerV2.GetAttemptToken(ctx)
		release = forgiving(release)
	} else if release, err = rate.GetAttemptToken(ctx); err != nil {
		if cause := rate.cause.Load(); recorded && cause != nil && a.last.Load() == nil {
			a.retry(*cause)
		}
		release, err = rate.wait(ctx)
	}
	if recorded && err == nil {
		a.last.Store(nil)
	}
	return release, err
}

// forgiving keeps a quota that is used up from the SDK's own adaptive rate, which would slow down for it.
func forgiving(release func(error) error) func(error) error {
	return func(err error) error {
		if failure.QuotaUsedUp(err) {
			err = nil
		}
		return release(err)
	}
}

// wait returns when an attempt may be made, or ctx ends.
func (r *rate) wait(ctx context.Context) (func(error) error, error) {
	for {
		select {
		case <-time.After(turn):
			if release, err := r.GetAttemptToken(ctx); err == nil {
				return release, nil
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// GetRetryToken is called with the error that the SDK is going to try again after.
func (r retryer) GetRetryToken(ctx context.Context, err error) (func(error) error, error) {
	if a, ok := ctx.Value(attemptsKey{}).(*attempts); ok {
		a.retry(err)
	}
	return r.RetryerV2.GetRetryToken(ctx, err)
}
