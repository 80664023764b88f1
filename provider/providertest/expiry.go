package providertest

import (
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

func testAlive(s *subject) {
	for _, r := range s.requests("hello") {
		c := s.issue(r)
		if now := time.Now(); !c.ExpiresAt.IsZero() && !c.ExpiresAt.After(now) {
			s.Errorf("Credentials(%s): expired at %v, and it is %v", show(r), c.ExpiresAt, now)
		}
	}
}

func testUpstreamExpiry(s *subject) {
	s.need(Expiry)
	for _, r := range s.requests("hello") {
		c := s.issue(r)
		end := s.Expiry(c)
		switch {
		case end.IsZero():
		case c.ExpiresAt.IsZero():
			s.Errorf("Credentials(%s): ExpiresAt says never, but the registry refuses it from %v", show(r), end)
		case c.ExpiresAt.After(end):
			s.Errorf("Credentials(%s): ExpiresAt says %v, but the registry refuses it from %v", show(r), c.ExpiresAt, end)
		}
	}
}

// lenient is how long registries mostly take what has ended, as clocks differ.
const lenient = time.Minute

// testBoundedExpiry: who takes a credential away, or loses one, goes by what it says.
func testBoundedExpiry(s *subject) {
	s.need(Expiry)
	s.need(Bounded)
	requests := s.requests("hello")
	if s.reason(AllProjects) == "" {
		requests = append(requests, provider.Request{AllProjects: true, Access: provider.Pull})
	}
	for _, r := range requests {
		c := s.issue(r)
		if c.ExpiresAt.IsZero() {
			continue
		}
		switch end := s.Expiry(c); {
		case end.IsZero():
			s.Errorf("Credentials(%s): ExpiresAt says %v, but the registry takes it for ever", show(r), c.ExpiresAt)
		case end.Sub(c.ExpiresAt) > lenient:
			s.Errorf("Credentials(%s): ExpiresAt says %v, but the registry takes it until %v", show(r), c.ExpiresAt, end)
		}
	}
}
