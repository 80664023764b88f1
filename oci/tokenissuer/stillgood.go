package tokenissuer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// A Question is whether a grant is still good.
type Question struct {
	// Request is what the grant was made for, its caller perhaps cut. A grant for all projects is asked about as such, with AllProjects set, and then for
	// each project that its holder wants to pull, with that project's name and no id.
	Request provider.Request
	// OfAllProjects says that the grant is for all projects and Request is about one of them: it may be older than the project, and knows no id.
	OfAllProjects bool
	// Grant is the grant's id, which is in the audit event of its credential.
	Grant string
	// MadeAt is when the grant was made, to the second.
	MadeAt time.Time
}

// StillGood says whether a grant is still good: nil if so. It is asked at each exchange; equal questions are one, and an answer that it is counts for five
// seconds. It is called concurrently.
//
// [provider.ErrNotFound], [provider.ErrAccessDenied] and [provider.ErrConflict] say that it isn't: the project is suspended or gone, its id is another than
// the request's, or, where the service has no ids, the project was made after the grant. Clocks differ, so that a service without ids mistrusts grants
// that were made until a minute after the project was. Any other error means that it couldn't tell: 503.
//
// ctx ends when the exchange's time does, and not with the client who asked first.
type StillGood func(ctx context.Context, q Question) error

const (
	// goodFor is how long an answer counts, since it was asked for.
	goodFor = 5 * time.Second
	// maxKnown bounds how many are remembered, in two halves.
	maxKnown = 20_000
)

// goodness asks the service, once for all that ask the same within five seconds.
type goodness struct {
	ask      StillGood
	patience time.Duration

	mu          sync.Mutex
	recent, old map[about]*verdict
	turned      time.Time
}

// errLost is for a function that neither returned nor panicked.
var errLost = errors.New("a bug: the goroutine was ended")

// about is what a question is known by: a grant's id says all of it but the project.
type about struct{ grant, project string }

// verdict is an answer that is there, or awaited.
type verdict struct {
	since time.Time     // when the service was asked
	done  chan struct{} // closed once err is there
	err   error
}

func newGoodness(ask StillGood, patience time.Duration) *goodness {
	return &goodness{ask: ask, patience: patience, recent: map[about]*verdict{}}
}

// of answers q, or returns the error of ctx.
func (g *goodness) of(ctx context.Context, q Question) error {
	v := g.verdict(ctx, q)
	select {
	case <-v.done:
		return v.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// verdict returns the one that counts for q: what was asked longer ago may not be so by now.
func (g *goodness) verdict(ctx context.Context, q Question) *verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, key := time.Now(), about{q.Grant, q.Request.Project}
	v, ok := g.recent[key]
	if !ok {
		v, ok = g.old[key]
	}
	if ok && now.Sub(v.since) < goodFor {
		return v
	}
	if now.Sub(g.turned) >= goodFor || len(g.recent) >= maxKnown/2 {
		g.recent, g.old, g.turned = map[about]*verdict{}, g.recent, now
	}
	v = &verdict{since: now, done: make(chan struct{})}
	g.recent[key] = v
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.patience)
	go func() {
		err := errLost
		defer func() { g.settle(key, v, err) }()
		defer cancel()
		err = g.asked(own, q)
	}()
	return v
}

// settle tells all who wait. What isn't good is forgotten: the next who asks has it asked anew.
func (g *goodness) settle(key about, v *verdict, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if v.err = err; err != nil {
		for _, known := range []map[about]*verdict{g.recent, g.old} {
			if known[key] == v {
				delete(known, key)
			}
		}
	}
	close(v.done)
}

// asked asks, and makes an error of a panic: it is a goroutine of nobody's.
func (g *goodness) asked(ctx context.Context, q Question) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic of type %T", v)
		}
	}()
	return g.ask(ctx, q)
}
