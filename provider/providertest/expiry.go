package providertest

import "time"

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
