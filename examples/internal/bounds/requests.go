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

// NewRequests returns a bound of max requests.
func NewRequests(max int) *Requests { return &Requests{make(chan struct{}, max)} }

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

// Callers bounds how many requests each caller has in flight, so that one who asks for much that takes long leaves room for others.
type Callers struct {
	max int

	mu       sync.Mutex
	inFlight map[string]int
}

// NewCallers returns a bound of max requests of each.
func NewCallers(max int) *Callers { return &Callers{max: max, inFlight: map[string]int{}} }

// Limit is for endpoint.WithSubjectLimit: a request counts until ctx ends. next, which may be nil, is another limit, asked first.
func (c *Callers) Limit(next func(context.Context, string) time.Duration) func(context.Context, string) time.Duration {
	return func(ctx context.Context, subject string) time.Duration {
		if next != nil {
			if wait := next(ctx, subject); wait > 0 {
				return wait
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.inFlight[subject] >= c.max {
			return time.Second
		}
		c.inFlight[subject]++
		context.AfterFunc(ctx, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.inFlight[subject]--; c.inFlight[subject] == 0 {
				delete(c.inFlight, subject)
			}
		})
		return 0
	}
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
