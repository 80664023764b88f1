package cache

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/decorator"
)

// A core is what a [Cache] holds: what is kept, what is being issued and who waits for it, and what failed.
type core struct {
	options Options
	// issue asks the wrapped provider.
	issue func(context.Context, provider.Request) (decorator.Issued, error)

	hits counter
	pace *rate.Limiter

	// life ends with Close.
	life context.Context //nolint:containedctx // of the issues, which belong to no caller
	end  context.CancelFunc
	// running are the issues that a goroutine works on.
	running sync.WaitGroup

	mu       sync.Mutex
	kept     store // its get needs no mu
	calls    map[provider.Request]*call
	failures map[provider.Request]failure // without callers: what fails, fails for each of them
	stats    Stats                        // without hits, and without what is counted when asked for
	closed   bool

	// callers and refreshes hold the calls that wait for a turn, those that somebody waits for and the others.
	callers, refreshes turns
	round              uint64 // of turns, from one refresh to the next
	inFlight, slowed   int    // calls that are running, and those of them that the provider is being throttled for
	pausedUntil        time.Time
	resume, sweeper    *time.Timer // nil: not set
}

func errClosed(r provider.Request) error {
	return &provider.Error{
		Kind: provider.ErrUnavailable, Op: "issue credential", Project: r.Project, Err: errors.New("the cache is closed"),
	}
}

func ended(ctx context.Context, r provider.Request) *provider.Error {
	return &provider.Error{Kind: provider.ErrTimeout, Op: "wait for credential", Project: r.Project, Err: ctx.Err()}
}
