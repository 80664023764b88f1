package oidc

import (
	"context"
	"iter"
	"log/slog"
	"net/netip"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// SetClock makes a's time what now says.
func (a *Authenticator) SetClock(now func() time.Time) { a.now = now }

// SetPatience bounds a's fetches.
func (a *Authenticator) SetPatience(d time.Duration) { a.patience = d }

// Remembered counts the tokens that a remembers.
func (a *Authenticator) Remembered() int {
	a.seen.mu.Lock()
	defer a.seen.mu.Unlock()
	return len(a.seen.tokens)
}

// The numbers that tests need.
const MaxRemembered = maxRemembered

// Public is the rule for addresses that documents name.
func Public(ip netip.Addr) bool { return public(ip) }

// SubjectOf names a caller.
func SubjectOf(name, sub string) string { return subjectOf(name, sub) }

// Matches reports whether the claims, a JSON object, match the rule, and the projects that they fill; bad for what isn't claims.
func Matches(r Rule, payload []byte) (projects []string, fit []slog.Attr, ok, bad bool) {
	c, err := parseClaims(payload)
	if err != nil {
		return nil, nil, false, true
	}
	rules := newRules([]Rule{r})
	found, fit, err := decide(rules, c)
	if err != nil {
		return nil, nil, false, false
	}
	return found.projects(c), fit, true, false
}

// ReadClaims reads a JSON object.
func ReadClaims(payload []byte) (map[string]any, error) { return parseClaims(payload) }

// Plain reports whether go-oidc isn't asked about a token, of whatever signature.
func Plain(raw string) bool {
	t, err := parse(raw)
	return err == nil && t.plain()
}

// Covers reports whether every text that the second pattern takes is taken by the first.
func Covers(first, second string) bool { return newPattern(first).covers(second) }

// MatchText reports whether a pattern takes a text.
func MatchText(p, text string) bool { return newPattern(p).matchText(text) }

// PatternProblem is what is wrong with a pattern.
func PatternProblem(p string) string { return patternProblem(p) }

// DiagnoseAt is Diagnose where the time is what now says.
func DiagnoseAt(ctx context.Context, issuers []Issuer, token provider.Secret, project string, now func() time.Time) (iter.Seq[diagnosis.Finding], error) {
	return diagnose(ctx, issuers, token, project, now)
}
