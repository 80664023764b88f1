package ecr

import (
	"context"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// When a context ends while the SDK waits to try again, its error says only that; which error it was retrying is lost.
// The retryer keeps it: a caller that was throttled for 30 seconds was throttled, not slow.
type attempts struct{ last atomic.Pointer[error] }

type attemptsKey struct{}

func recordAttempts(ctx context.Context) context.Context {
	return context.WithValue(ctx, attemptsKey{}, new(attempts))
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

type retryer struct{ aws.RetryerV2 }

// recordingRetryer wraps the SDK's retryer, which is a RetryerV2 unless an option replaced it.
func recordingRetryer(r aws.Retryer) aws.Retryer {
	if v2, ok := r.(aws.RetryerV2); ok {
		return retryer{v2}
	}
	return r
}

// GetAttemptToken is called at the start of each attempt.
func (r retryer) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	if a, ok := ctx.Value(attemptsKey{}).(*attempts); ok {
		a.last.Store(nil)
	}
	return r.RetryerV2.GetAttemptToken(ctx)
}

// GetRetryToken is called with the error that the SDK is going to try again after.
func (r retryer) GetRetryToken(ctx context.Context, err error) (func(error) error, error) {
	if a, ok := ctx.Value(attemptsKey{}).(*attempts); ok {
		a.last.Store(&err)
	}
	return r.RetryerV2.GetRetryToken(ctx, err)
}
