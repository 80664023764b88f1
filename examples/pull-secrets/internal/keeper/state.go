package keeper

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// state is what is known of one namespace.
type state struct {
	secret, wrote *view
	project       string    // that the namespace is mapped to; what follows is about it
	notNow        time.Time // when the endpoint may be asked again for it
	refused       bool
	failures      int // in a row
	fights        int // how often in a row somebody else undid what was written
	trouble       string
	said          string // the last event, and when
	saidAt        time.Time
}

// truce is how long nothing is done after the nth time in a row.
func truce(n int) time.Duration { return min(10*time.Second<<min(max(n-1, 0), 10), 10*time.Minute) }

// states are the namespaces'. It is safe for concurrent use.
type states struct {
	mu    sync.Mutex
	of    map[string]*state
	pause time.Time // nobody asks the endpoint before
}

// with calls do with the state of a namespace, which do doesn't keep.
func (s *states) with(namespace string, do func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.of[namespace]
	if !ok {
		st = &state{}
		s.of[namespace] = st
	}
	do(st)
}

// observe takes note of a secret, unless something later is known.
func (s *states) observe(v *view) {
	s.with(v.meta.Namespace, func(st *state) {
		if v.newer(st.secret) {
			st.secret = v
		}
	})
}

// gone takes note that a secret isn't there, or isn't ours any longer.
func (s *states) gone(secret *corev1.Secret) {
	s.with(secret.Namespace, func(st *state) {
		if st.secret != nil && st.secret.uid() == secret.UID {
			st.secret = nil
		}
	})
}

// forget drops a namespace that isn't there and has no secret.
func (s *states) forget(namespace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.of[namespace]; st != nil && st.secret == nil {
		delete(s.of, namespace)
	}
}

// paused is how long nobody is to ask the endpoint.
func (s *states) paused(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pause.Sub(now)
}

func (s *states) pauseUntil(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until.After(s.pause) {
		s.pause = until
	}
}
