package cache

import (
	"time"

	"golang.org/x/time/rate"
)

// Options are the limits of a [Cache]. The zero Options are the defaults.
type Options struct {
	// MinRemaining is how long a credential that is handed out lives at least, or a quarter of its life if that is
	// shorter. Zero means 15 minutes; less means no minimum: credentials are then handed out until they expire.
	MinRemaining time.Duration
	// MaxEntries bounds how many credentials are kept. Where there are more, one goes that can't be used any more, or else
	// one that wasn't asked for lately, so that ever new ones don't push out those in use. Zero and less mean 100,000.
	MaxEntries int
	// MaxInFlight bounds how many credentials are issued at once. Zero and less mean 64.
	MaxInFlight int
	// MaxPerSecond bounds how many issues are started a second, refreshes included, and in a burst a fifth of that or MaxInFlight,
	// whichever is more. Further ones queue. Zero and less mean no such bound.
	MaxPerSecond int
	// IssueTimeout bounds one issue from when it is started, whoever waits for it. Zero and less mean one minute.
	IssueTimeout time.Duration
}

const (
	defaultMinRemaining = 15 * time.Minute
	defaultMaxEntries   = 100_000
	defaultMaxInFlight  = 64
	defaultIssueTimeout = time.Minute // longer than requests wait (30 s): who comes back finds the answer
)

func (o Options) withDefaults() Options {
	if o.MinRemaining == 0 {
		o.MinRemaining = defaultMinRemaining
	}
	o.MinRemaining = max(o.MinRemaining, 0)
	if o.MaxEntries <= 0 {
		o.MaxEntries = defaultMaxEntries
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = defaultMaxInFlight
	}
	if o.IssueTimeout <= 0 {
		o.IssueTimeout = defaultIssueTimeout
	}
	return o
}

// pace is what bounds how many issues are started a second.
func (o Options) pace() *rate.Limiter {
	if o.MaxPerSecond <= 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(o.MaxPerSecond), max(o.MaxInFlight, o.MaxPerSecond/5))
}
