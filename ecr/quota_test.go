package ecr_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// Each code that the SDK tries again after, and what it is. A new one in the SDK's lists has to be looked up before it is written here.
func TestRetriedCodes(t *testing.T) {
	t.Parallel()
	const throttled, usedUp, slow = provider.ErrThrottled, provider.ErrMisconfigured, provider.ErrTimeout
	kinds := map[string]provider.Kind{
		"Throttling": throttled, "ThrottlingException": throttled, "ThrottledException": throttled, "RequestThrottledException": throttled,
		"RequestThrottled": throttled, "TooManyRequestsException": throttled, "RequestLimitExceeded": throttled,
		"ProvisionedThroughputExceededException": throttled, "BandwidthLimitExceeded": throttled, "SlowDown": throttled,
		"EC2ThrottledException": throttled, "PriorRequestNotComplete": throttled, "TransactionInProgressException": throttled,
		"LimitExceededException": usedUp,
		"RequestTimeout":         slow, "RequestTimeoutException": slow,
	}
	codes := maps.Clone(retry.DefaultThrottleErrorCodes)
	maps.Copy(codes, retry.DefaultRetryableErrorCodes)
	require.Len(t, codes, len(kinds))
	codes["ServiceQuotaExceededException"], kinds["ServiceQuotaExceededException"] = struct{}{}, usedUp // in no list
	for code := range codes {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, kinds, code)
			synctest.Test(t, func(t *testing.T) {
				aws := newAWS(t, ecrtest.Config{InMemory: true}, ecrtest.SetupOptions{})
				aws.Inject(ecrtest.Fault{Action: token, Error: code, Message: "-"})
				p, err := ecr.New(t.Context(), aws.config, hermetic(), inMemory(aws.Server))
				require.NoError(t, err)
				start := time.Now()
				_, err = p.Credentials(t.Context(), push)
				require.ErrorIs(t, err, kinds[code], "%v", err)
				calls := len(aws.names()) - 1
				switch kinds[code] {
				case throttled:
					require.Equal(t, 20, calls)
				case slow:
					require.Equal(t, 3, calls)
				default:
					require.Equal(t, 1, calls)
					require.Zero(t, time.Since(start))
					require.Contains(t, asError(t, err).Hint, "waiting doesn't help")
				}
			})
		})
	}
}

// full is a registry whose quota of repositories is used up by hello's.
func full(t *testing.T, opts ...ecr.Option) (*awsServer, *ecr.Provider) {
	t.Helper()
	aws := newAWS(t, ecrtest.Config{InMemory: true, MaxRepositories: 1}, ecrtest.SetupOptions{})
	aws.config.Installation = "prod"
	aws.CreateRepository(aws.deployment.Repository("hello"))
	p, err := ecr.New(t.Context(), aws.config, append([]ecr.Option{hermetic(), inMemory(aws.Server)}, opts...)...)
	require.NoError(t, err)
	return aws, p
}

// plain is a retryer of the SDK's older form.
type plain struct{ awssdk.Retryer }

// A quota that is used up ends a call at once, whichever retryer was asked for, and slows no other call down.
func TestQuotaEndsAtOnce(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]func(*config.LoadOptions) error{
		"ours":     func(*config.LoadOptions) error { return nil },
		"standard": config.WithRetryMode(awssdk.RetryModeStandard),
		"adaptive": config.WithRetryMode(awssdk.RetryModeAdaptive),
		"plain":    config.WithRetryer(func() awssdk.Retryer { return plain{retry.NewStandard()} }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				aws, p := full(t, ecr.WithLoadOptions(option))
				start := time.Now()
				for i := range 50 {
					_, err := p.EnsureRepository(t.Context(), provider.Project{Name: fmt.Sprint("new-", i)}, repository.EnsureOptions{})
					require.ErrorIs(t, err, provider.ErrMisconfigured)
					require.NotErrorIs(t, err, provider.ErrThrottled)
					require.ErrorContains(t, err, "LimitExceededException: The maximum number of repositories per registry in the region has been exceeded")
					require.Contains(t, asError(t, err).Hint, `quota "Registered repositories"`)
				}
				require.Len(t, aws.names(), 100, "one to look, one to make")
				require.Zero(t, time.Since(start))
			})
		})
	}
}

func TestQuotaAtTheEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, p := full(t)
		h := endpoint.New(p, func(*http.Request) (caller, error) { return caller{}, nil },
			func(context.Context, caller, provider.Request) error { return nil },
			endpoint.WithRepositories(p), endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?project=new", nil))
		require.Equal(t, http.StatusBadGateway, recorder.Code, recorder.Body.String())
		require.Empty(t, recorder.Header().Get("Retry-After"))
	})
}

func TestReconcileAtTheQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		aws, p := full(t)
		list := []provider.Project{{Name: "hello"}}
		for i := range 40 {
			list = append(list, provider.Project{Name: fmt.Sprint("new-", i)})
		}
		r, err := reconcile.New(p, reconcile.WantedList(list), reconcile.Options{})
		require.NoError(t, err)
		start := time.Now()
		report, _ := r.Run(t.Context())
		require.Equal(t, 40, report.Failures)
		require.Less(t, time.Since(start), time.Minute)
		require.Less(t, len(aws.names()), 2*len(list)+20)
	})
}
