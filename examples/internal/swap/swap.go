// Package swap replaces what many use by another, as a whole, while they use it: who has begun with the old one ends with it, and the old one ends once
// nobody uses it any more.
package swap

import (
	"errors"
	"sync"
	"sync/atomic"
)

// Value is what is used now. Make it with New. It is safe for concurrent use.
type Value[T any] struct {
	current atomic.Pointer[Held[T]]

	mu   sync.Mutex
	live map[*Held[T]]bool // that haven't ended
}

// Held is a value that doesn't end before Release.
type Held[T any] struct {
	Value T

	// users counts who holds it, and one while it is the current one; at zero it ends.
	users atomic.Int64
	owner *Value[T]
	end   func() error
	once  sync.Once
	ended chan struct{}
	err   error // once ended is closed
}

// New returns a Value that is v. end is called once nobody uses v any more, in a goroutine of its own, or by Close.
func New[T any](v T, end func() error) *Value[T] {
	s := &Value[T]{live: map[*Held[T]]bool{}}
	s.current.Store(s.held(v, end))
	return s
}

func (s *Value[T]) held(v T, end func() error) *Held[T] {
	h := &Held[T]{Value: v, owner: s, end: end, ended: make(chan struct{})}
	h.users.Store(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[h] = true
	return h
}

// Hold returns what is used now. Call its Release once.
func (s *Value[T]) Hold() *Held[T] {
	for {
		h := s.current.Load()
		for n := h.users.Load(); n > 0; n = h.users.Load() {
			if h.users.CompareAndSwap(n, n+1) {
				return h
			}
		}
		// It was replaced, and has ended, since it was loaded: there is another one.
	}
}

// Load returns what is used now, for who needs nothing that ends.
func (s *Value[T]) Load() T { return s.current.Load().Value }

// Replace has v used from now on.
func (s *Value[T]) Replace(v T, end func() error) { s.current.Swap(s.held(v, end)).Release() }

// Close ends all that hasn't, used or not, waits for that, and returns how the last one ended. Who holds a value after that has one that has ended.
func (s *Value[T]) Close() error {
	s.mu.Lock()
	var all []*Held[T]
	for h := range s.live {
		all = append(all, h)
	}
	s.mu.Unlock()
	var errs []error
	for _, h := range all {
		h.finish()
		<-h.ended
		errs = append(errs, h.err)
	}
	return errors.Join(errs...)
}

// Release says that it isn't used any more.
func (h *Held[T]) Release() {
	if h.users.Add(-1) == 0 {
		go h.finish() // who used it last doesn't wait
	}
}

func (h *Held[T]) finish() {
	h.once.Do(func() {
		defer close(h.ended)
		h.err = h.end()
		h.owner.mu.Lock()
		defer h.owner.mu.Unlock()
		delete(h.owner.live, h)
	})
}
