package endpoint

import (
	"context"
	"crypto/sha256"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxLimited bounds how many senders a RateLimit remembers, in two halves.
	maxLimited = 100_000
	// maxSender bounds what is remembered of each: of a longer name, its hash.
	maxSender = 128
)

// RateLimit limits how often each of many senders may ask: a token bucket for each. Its memory is bounded: senders that
// didn't ask for a while are forgotten, and so are others, should too many ask. It is safe for concurrent use.
//
//	limit := endpoint.NewRateLimit(10, 50)
//	endpoint.New(p, authenticate, authorize,
//		endpoint.WithAddressLimit(limit.ByAddress(proxies...)), // before authentication
//		endpoint.WithSubjectLimit(other.BySubject))
type RateLimit struct {
	perSecond rate.Limit
	burst     int
	refill    time.Duration // how long an empty bucket takes to fill

	mu sync.Mutex
	// Who asks moves to recent; the rest is forgotten when recent becomes old.
	recent, old map[string]*rate.Limiter
	turned      time.Time
}

// NewRateLimit returns a limit of so many requests a second for each sender in the long run, and burst of them at once. More
// than one a nanosecond, which is what the clock counts, is that. It panics if either isn't positive, or the rate isn't finite.
func NewRateLimit(perSecond float64, burst int) *RateLimit {
	if !(perSecond > 0) || math.IsInf(perSecond, 1) || burst < 1 {
		panic("endpoint.NewRateLimit: the rate and the burst must be positive and finite")
	}
	perSecond = min(perSecond, float64(time.Second)) // or else a burst takes no time, and the highest is rate.Inf
	refill := time.Duration(math.MaxInt64)
	if d := float64(burst) / perSecond * float64(time.Second); d < math.MaxInt64 { // a conversion of more makes anything of it
		refill = time.Duration(d)
	}
	return &RateLimit{
		perSecond: rate.Limit(perSecond), burst: burst, refill: refill,
		recent: map[string]*rate.Limiter{}, turned: time.Now(),
	}
}

// Wait counts a request of sender and returns how long it is too early: zero if it isn't. A request that is too early
// doesn't count.
func (l *RateLimit) Wait(sender string) time.Duration {
	if len(sender) > maxSender {
		hash := sha256.Sum256([]byte(sender))
		sender = string(hash[:])
	}
	l.mu.Lock()
	defer l.mu.Unlock() // of reservations that overlap, only the last to be canceled would be given back whole
	now := time.Now()
	reservation := l.of(sender, now).ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

func (l *RateLimit) of(sender string, now time.Time) *rate.Limiter {
	// Whoever didn't ask for as long as a bucket takes to fill has a full one again, remembered or not.
	if now.Sub(l.turned) >= l.refill || len(l.recent) >= maxLimited/2 {
		l.recent, l.old, l.turned = map[string]*rate.Limiter{}, l.recent, now
	}
	limiter, ok := l.recent[sender]
	if !ok {
		if limiter, ok = l.old[sender]; !ok {
			limiter = rate.NewLimiter(l.perSecond, l.burst)
		}
		l.recent[strings.Clone(sender)] = limiter // it may be a part of a whole request
	}
	return limiter
}

// ByAddress is for [WithAddressLimit]: a sender is an IPv4 address, or the /64 of an IPv6 one, since that is what one
// customer has; see [SourceAddress].
func (l *RateLimit) ByAddress(trusted ...netip.Prefix) func(*http.Request) time.Duration {
	return func(r *http.Request) time.Duration {
		address := SourceAddress(r, trusted...)
		if address.Is6() {
			if network, err := address.Prefix(64); err == nil {
				address = network.Addr()
			}
		}
		return l.Wait(address.String())
	}
}

// BySubject is for [WithSubjectLimit].
func (l *RateLimit) BySubject(_ context.Context, subject string) time.Duration {
	return l.Wait(subject)
}
