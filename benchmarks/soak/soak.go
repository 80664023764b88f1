package main

import (
	"context"
	"time"
)

type options struct {
	whole, lasts     time.Duration
	asking, projects int
}

// soak is one run.
type soak struct {
	options

	fleet   *fleet
	found   *ledger
	clients *clients

	turn    int    // how often all events have been
	session string // the first replica's session_duration
	done    int    // events
}

func (s *soak) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
