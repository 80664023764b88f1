package keyset

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// RetryAfter is how long after a fetch that failed there is another.
const RetryAfter = 5 * time.Second

const (
	fresh       = time.Minute      // so young, keys aren't fetched again for a key that isn't among them
	renewAfter  = 10 * time.Minute // so old, they are fetched again while they are used: a key that was withdrawn is used for no longer
	rereadAfter = 2 * time.Second  // so long ago, a file of keys is read again before a token is looked at
)

// ErrUnknown says that a token's key isn't one of the issuer's.
var ErrUnknown = errors.New("the key that it names isn't one of the issuer's")

// Cache keeps an issuer's keys: fetched when they are first needed, once at a time, and kept while they can't be renewed. It is safe for concurrent use.
type Cache struct {
	Fetch  func(context.Context) ([]jose.JSONWebKey, error)
	Failed func(error) // told of each failed fetch; nil: nobody is
	Now    func() time.Time
	// File says that keys are in a file: that is read again so often that what is in it counts, as if it had just been.
	File bool

	mu         sync.Mutex
	keys       []jose.JSONWebKey
	fetched    time.Time // the last success; zero before
	generation uint64    // counts what was fetched that differs from what was there
	tried      time.Time // the last failure
	failure    error     // of the last fetch; nil if it succeeded
	running    *fetching
}

// fetching is a fetch under way. What it found is there once done is closed.
type fetching struct {
	done chan struct{}
	err  error
}

// Find returns the keys that a token with these headers can be signed by. It returns ErrUnknown if there is none, and another error if it couldn't tell.
func (k *Cache) Find(ctx context.Context, kid, alg string) ([]crypto.PublicKey, error) {
	k.reread(ctx)
	k.mu.Lock()
	found := Fitting(k.keys, kid, alg)
	if len(found) > 0 {
		k.renew()
		k.mu.Unlock()
		return found, nil
	}
	now := k.Now()
	switch {
	case k.running != nil:
	case len(k.keys) > 0 && now.Sub(k.fetched) < k.fresh():
		k.mu.Unlock()
		return nil, ErrUnknown
	case k.failure != nil && now.Sub(k.tried) < RetryAfter:
		err := k.failure
		k.mu.Unlock()
		return nil, fmt.Errorf("a moment ago: %w", err)
	default:
		k.start()
	}
	f := k.running
	k.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the keys: %w", context.Cause(ctx))
	case <-f.done:
	}
	if f.err != nil {
		return nil, f.err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if found = Fitting(k.keys, kid, alg); len(found) == 0 {
		return nil, ErrUnknown
	}
	return found, nil
}

func (k *Cache) fresh() time.Duration {
	if k.File {
		return rereadAfter
	}
	return fresh
}

// reread sees to it that keys of a file are what is in it now, or that this was tried a moment ago. Reading takes no time to speak of, so it is waited for.
func (k *Cache) reread(ctx context.Context) {
	if !k.File {
		return
	}
	k.mu.Lock()
	now := k.Now()
	if k.running == nil && now.Sub(k.fetched) >= rereadAfter && (k.failure == nil || now.Sub(k.tried) >= rereadAfter) {
		k.start()
	}
	f := k.running
	k.mu.Unlock()
	if f == nil {
		return
	}
	select {
	case <-ctx.Done():
	case <-f.done:
	}
}

// Current returns which keys these are, and sees to it that they don't get old. The number changes with the keys.
func (k *Cache) Current(ctx context.Context) uint64 {
	k.reread(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.renew()
	return k.generation
}

// renew starts a fetch if the keys are old. k.mu is held.
func (k *Cache) renew() {
	now := k.Now()
	if k.running == nil && now.Sub(k.fetched) >= renewAfter && (k.failure == nil || now.Sub(k.tried) >= RetryAfter) {
		k.start()
	}
}

// start fetches in a goroutine that ends by itself, since others than who began it wait. k.mu is held.
func (k *Cache) start() {
	f := &fetching{done: make(chan struct{})}
	k.running = f
	go func() {
		keys, err := k.guarded(context.Background())
		if err != nil && k.Failed != nil {
			k.Failed(err)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		defer close(f.done)
		k.running, k.failure, f.err = nil, err, err
		switch {
		case err == nil:
			if !slices.EqualFunc(keys, k.keys, sameKey) {
				k.generation++
			}
			k.keys, k.fetched = keys, k.Now()
		case errors.Is(err, ErrNone): // the issuer answered, and none of those that we have is its own any longer
			k.keys, k.tried = nil, k.Now()
			k.generation++
		default:
			k.tried = k.Now()
		}
	}()
}

// sameKey reports whether two keys verify the same signatures under the same name.
func sameKey(a, b jose.JSONWebKey) bool {
	x, errX := a.MarshalJSON()
	y, errY := b.MarshalJSON()
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// guarded is fetch, of which a panic is an error: parsers see what anybody wrote, and nobody would recover in this goroutine.
func (k *Cache) guarded(ctx context.Context) (keys []jose.JSONWebKey, err error) {
	defer func() {
		if v := recover(); v != nil {
			keys, err = nil, fmt.Errorf("panic of type %T", v)
		}
	}()
	return k.Fetch(ctx)
}
