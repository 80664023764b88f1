package cloud

import (
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
)

// Quota is a rate at which calls are answered; those beyond are throttled.
type Quota struct {
	PerSecond float64
	Burst     int
}

// Quotas limit how often an account may make a call in a region.
type Quotas struct {
	now     func() time.Time
	byCall  map[string]Quota
	buckets map[bucketKey]*bucket
}

// bucket holds the calls that a quota still allows.
type bucket struct {
	tokens float64
	at     time.Time
}

// bucketKey is what a quota is counted by.
type bucketKey struct{ account, region, call string }

func newQuotas(byCall map[string]Quota, now func() time.Time) *Quotas {
	return &Quotas{now: now, byCall: byCall, buckets: map[bucketKey]*bucket{}}
}

// Take takes one call, such as sts:AssumeRole, from an account's quota. A call without quota isn't limited.
func (q *Quotas) Take(account, region, call string) *awserr.Error {
	quota, limited := q.byCall[call]
	if !limited {
		return nil
	}
	now := q.now()
	key := bucketKey{account, region, call}
	b := q.buckets[key]
	if b == nil {
		b = &bucket{tokens: float64(quota.Burst), at: now}
		q.buckets[key] = b
	}
	b.tokens = min(float64(quota.Burst), b.tokens+now.Sub(b.at).Seconds()*quota.PerSecond)
	b.at = now
	if b.tokens < 1 {
		return awserr.New("Throttling", "Rate exceeded")
	}
	b.tokens--
	return nil
}
