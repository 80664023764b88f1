package bounds

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Requests bounds how many requests are answered at once: more are 503.
type Requests struct{ room chan struct{} }

// NewRequests returns a bound of so many requests.
func NewRequests(most int) *Requests { return &Requests{make(chan struct{}, most)} }

// InFlight is how many there are.
func (q *Requests) InFlight() int { return len(q.room) }

// Handler returns next within the bound.
func (q *Requests) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case q.room <- struct{}{}:
		default:
			busy(w, "The service is busy; try again later.")
			return
		}
		defer func() { <-q.room }()
		next.ServeHTTP(w, r)
	})
}

func busy(w http.ResponseWriter, sentence string) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write([]byte(`{"error":"` + sentence + `","code":"unavailable"}` + "\n"))
}

// Callers bounds how many requests each caller has in flight, and how many a second, so that one who asks for much, or for what takes long, leaves room for
// others: more a second wait for their turn, and more at once are too early.
type Callers struct {
	max, perSecond int

	mu    sync.Mutex
	known map[string]*caller
	swept int // how many were left by the last sweep
}

type caller struct {
	inFlight int
	rate     *rate.Limiter
}

// NewCallers returns a bound of most requests of each, and so many a second.
func NewCallers(most, perSecond int) *Callers {
	return &Callers{max: most, perSecond: perSecond, known: map[string]*caller{}}
}

// burst is how many a caller has at once: a fifth of a second's, since all of them would take the processor for a while.
func (c *Callers) burst() int { return max(1, c.perSecond/5) }

// Limit is for endpoint.WithSubjectLimit: a request counts until ctx ends. next, which may be nil, is another limit, asked first.
func (c *Callers) Limit(next func(context.Context, string) time.Duration) func(context.Context, string) time.Duration {
	return func(ctx context.Context, subject string) time.Duration {
		if next != nil {
			if wait := next(ctx, subject); wait > 0 {
				return wait
			}
		}
		turn, ok := c.enter(ctx, subject)
		if !ok {
			return time.Second
		}
		if turn > 0 {
			timer := time.NewTimer(turn)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		return 0
	}
}

// enter counts a request until ctx ends, and says how long it is until its turn. There are too many where ok is false.
func (c *Callers) enter(ctx context.Context, subject string) (turn time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.known[subject]
	if one == nil {
		c.sweep()
		one = &caller{rate: rate.NewLimiter(rate.Limit(c.perSecond), c.burst())}
		c.known[subject] = one
	}
	if one.inFlight >= c.max {
		return 0, false
	}
	one.inFlight++
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		one.inFlight--
	})
	return one.rate.Reserve().Delay(), true
}

// sweep forgets those who have nothing in flight and may do what anybody may, once there are many.
func (c *Callers) sweep() {
	if len(c.known) < 2*c.swept+1000 {
		return
	}
	for subject, one := range c.known {
		if one.inFlight == 0 && one.rate.Tokens() >= float64(c.burst()) {
			delete(c.known, subject)
		}
	}
	c.swept = len(c.known)
}

// scrapers are those who may ask at the same moment.
const scrapers = 4

// Rate bounds how often a second next is asked, and by a few at a time: more are 503.
func Rate(perSecond int, next http.Handler) http.Handler {
	limit := rate.NewLimiter(rate.Limit(perSecond), perSecond)
	few := NewRequests(scrapers).Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !limit.Allow() {
			busy(w, "Too many scrapes; try again later.")
			return
		}
		few.ServeHTTP(w, r)
	})
}
