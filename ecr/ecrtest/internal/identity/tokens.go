package identity

import "time"

// TokenRules are how authorization tokens live: see ecrtest.Config.
type TokenRules struct {
	Lifetime        time.Duration
	DieWithSession  bool
	FixedWhenIssued bool // rights
}

// Token is an authorization token of the image registry.
type Token struct {
	Password string
	Who      Caller
	KeyID    string // that asked for it
	Region   string
	Expires  time.Time

	fixed *Rights
}

// Rights are those that count when the token is used.
func (t *Token) Rights() *Rights {
	if t.fixed != nil {
		return t.fixed
	}
	return t.Who.Rights()
}

// Revoked reports whether the token is dead because its user or role is: one with fixed rights outlives them.
func (t *Token) Revoked() bool { return t.fixed == nil && t.Who.Deleted() }

// Tokens are the authorization tokens that there are.
type Tokens struct {
	rules      TokenRules
	now        func() time.Time
	byPassword shelf[*Token]
}

// NewTokens makes a store of tokens.
func NewTokens(rules TokenRules, now func() time.Time) *Tokens {
	return &Tokens{rules: rules, now: now, byPassword: newShelf(func(t *Token) time.Time { return t.Expires })}
}

// Issue makes a token for a region.
func (ts *Tokens) Issue(who Caller, keyID, region string) *Token {
	now := ts.now()
	t := &Token{Password: randomSecret(480), Who: who, KeyID: keyID, Region: region, Expires: now.Add(ts.rules.Lifetime)}
	if ts.rules.FixedWhenIssued {
		t.fixed = who.Rights()
	}
	ts.byPassword.put(t.Password, t, now)
	return t
}

// ByPassword finds a token, expired ones included; nil when there is none.
func (ts *Tokens) ByPassword(password string) *Token { return ts.byPassword.things[password] }

// Expired reports whether a token is at its end.
func (ts *Tokens) Expired(t *Token) bool {
	now := ts.now()
	if ts.rules.DieWithSession && t.Who.Session != nil && !now.Before(t.Who.Session.Expires) {
		return true
	}
	return !now.Before(t.Expires)
}
