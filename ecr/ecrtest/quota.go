package ecrtest

import "time"

// A bucket holds the calls that a quota still allows.
type bucket struct {
	tokens float64
	at     time.Time
}

// bucketKey is what a quota is counted by.
type bucketKey struct{ account, region, call string }

// throttle takes one call from an account's quota. The server is locked.
func (s *Server) throttle(account string, c *Call) *awsError {
	quota, limited := s.cfg.Quotas[c.Name()]
	if !limited {
		return nil
	}
	now := s.now()
	key := bucketKey{account, c.Region, c.Name()}
	b := s.buckets[key]
	if b == nil {
		b = &bucket{tokens: float64(quota.Burst), at: now}
		s.buckets[key] = b
	}
	b.tokens = min(float64(quota.Burst), b.tokens+now.Sub(b.at).Seconds()*quota.PerSecond)
	b.at = now
	if b.tokens < 1 {
		return errorf("Throttling", "Rate exceeded")
	}
	b.tokens--
	return nil
}
