package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// op is what all of this is for.
const op = "get credentials"

// calls has one call at a time for each request, which all share who ask meanwhile. Its zero value has none.
type calls struct {
	mu      sync.Mutex
	running map[provider.Request]*call
}

// call is one that is running. Its fields are guarded by the mutex of calls, but for the result, which is there once done is closed.
type call struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiters int
	endless bool      // there is somebody whose context has no deadline
	latest  time.Time // deadline of all who wait
	failure error     // the last one, which is being tried again

	credentials provider.Credentials
	err         error
}

// ask is what a call does. worth reports whether anybody waits for as long after an error.
type ask func(ctx context.Context, r provider.Request, worth func(error, time.Duration) bool) (provider.Credentials, error)

// join waits for the call for r, which it starts if there is none. A waiter leaves when its own context ends, and the last to leave ends the call; so does
// patience.
func (c *calls) join(ctx context.Context, r provider.Request, patience time.Duration, do ask) (provider.Credentials, error) {
	if err := ctx.Err(); err != nil {
		return provider.Credentials{}, left(ctx, r, nil)
	}
	k := c.enter(ctx, r, patience, do)
	select {
	case <-k.done:
		_ = c.leave(r, k) // the result has it
		return k.credentials, k.err
	case <-ctx.Done():
		return provider.Credentials{}, left(ctx, r, c.leave(r, k))
	}
}

// left is the error of who leaves, with what the call last failed with.
func left(ctx context.Context, r provider.Request, failure error) error {
	e := &provider.Error{Kind: provider.ErrTimeout, Op: op, Project: r.Project, Err: ctx.Err()}
	if failure != nil {
		e.Err = fmt.Errorf("%w, before this could be tried again: %w", ctx.Err(), failure)
	}
	return e
}

func (c *calls) enter(ctx context.Context, r provider.Request, patience time.Duration, do ask) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, running := c.running[r]
	if !running {
		k = &call{done: make(chan struct{})}
		var own context.Context
		own, k.cancel = context.WithTimeout(context.WithoutCancel(ctx), patience)
		if c.running == nil {
			c.running = map[provider.Request]*call{}
		}
		c.running[r] = k
		go c.run(own, r, k, do)
	}
	k.waiters++
	if deadline, ok := ctx.Deadline(); !ok {
		k.endless = true
	} else if deadline.After(k.latest) {
		k.latest = deadline
	}
	return k
}

func (c *calls) run(ctx context.Context, r provider.Request, k *call, do ask) {
	defer k.cancel()
	worth := func(err error, wait time.Duration) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		k.failure = err
		return k.endless || time.Until(k.latest) > wait
	}
	k.credentials, k.err = do(ctx, r, worth)
	c.mu.Lock()
	c.end(r, k)
	c.mu.Unlock()
	close(k.done)
}

// leave returns what the call last failed with.
func (c *calls) leave(r provider.Request, k *call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.waiters--
	if k.waiters == 0 {
		k.cancel()
		c.end(r, k) // who comes now shall not wait for one that ends
	}
	return k.failure
}

func (c *calls) end(r provider.Request, k *call) {
	if c.running[r] == k {
		delete(c.running, r)
	}
}

// forget has who comes from now on not wait for what is running for project.
func (c *calls) forget(project string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for r := range c.running {
		if r.Project == project {
			delete(c.running, r)
		}
	}
}
