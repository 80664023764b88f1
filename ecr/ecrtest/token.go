package ecrtest

import (
	"net/http"
	"time"
)

// token is an authorization token of the image registry.
type token struct {
	who     identity
	keyID   string
	fixed   *rights // with FixedAtIssue
	region  string
	issued  time.Time
	expires time.Time
}

// hasToken reports whether a request carries a token, expired ones included.
func (s *Server) hasToken(r *http.Request) bool {
	_, password, _ := r.BasicAuth()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[password] != nil
}

// rights are those that count when the token is used.
func (t *token) rights() *rights {
	if t.fixed != nil {
		return t.fixed
	}
	return t.who.rights()
}

// expired reports whether the token is at its end.
func (s *Server) expired(t *token, now time.Time) bool {
	if s.cfg.TokenDiesWithSession && t.who.session != nil && !now.Before(t.who.session.expires) {
		return true
	}
	return !now.Before(t.expires)
}
