package tokenauth

import (
	"context"
	"errors"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/bearer"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/login"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/tokenserver"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// pullLogin is the login that clusters get. That it can only pull is proven again after an hour, and when its password has changed.
type pullLogin struct {
	login  login.Password
	probe  string // the repository
	client *tokenserver.Client

	turn   chan struct{} // to look at proven, and to prove
	proven struct {
		proof tokenserver.Proof
		at    time.Time
	}
}

// provenFor is how long a proof counts.
const provenFor = time.Hour

func newPullLogin(l login.Password, probe string, client *tokenserver.Client) *pullLogin {
	return &pullLogin{login: l, probe: probe, client: client, turn: make(chan struct{}, 1)}
}

// onlyPulls returns the login, if it is proven that it can't push and can't delete.
func (l *pullLogin) onlyPulls(ctx context.Context) (tokenserver.Proof, error) {
	proof, err := l.login.Prove(ctx)
	if err != nil {
		return tokenserver.Proof{}, err
	}
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return tokenserver.Proof{}, &provider.Error{Kind: provider.ErrTimeout, Op: opProve, Err: ctx.Err()}
	}
	defer func() { <-l.turn }()
	age := time.Since(l.proven.at)
	if wall := time.Now().Round(0).Sub(l.proven.at.Round(0)); wall > age || wall < 0 { // the monotonic clock stands still while a machine sleeps
		age = wall
	}
	if age >= 0 && age < provenFor && !l.proven.at.IsZero() && l.proven.proof.Password.Equal(proof.Password) {
		return proof, nil
	}
	l.proven.at = time.Time{}
	if err := l.prove(ctx, proof); err != nil {
		return tokenserver.Proof{}, err
	}
	l.proven.proof, l.proven.at = proof, time.Now()
	return proof, nil
}

// again proves it now, whatever was proven before, and keeps nothing.
func (l *pullLogin) again(ctx context.Context) error {
	proof, err := l.login.Prove(ctx)
	if err != nil {
		return err
	}
	return l.prove(ctx, proof)
}

const opProve = "prove that pull_username can only pull"

// prove asks for push with it, and for delete: token servers give what is asked for and allowed, and no more. What isn't said to be pull alone is taken for more.
func (l *pullLogin) prove(ctx context.Context, proof tokenserver.Proof) error {
	if err := l.isntGiven(ctx, proof, "push"); err != nil {
		return err
	}
	// In a question of its own, as some don't know it, or refuse all where they would give a part. The login was taken a moment ago.
	err := l.isntGiven(ctx, proof, "delete")
	if tokenserver.IsRefusal(err) {
		return nil
	}
	return err
}

func (l *pullLogin) isntGiven(ctx context.Context, proof tokenserver.Proof, action string) error {
	misconfigured := func(err error, hint string) error {
		return &provider.Error{Kind: provider.ErrMisconfigured, Op: opProve, Err: err, Hint: hint}
	}
	q := tokenserver.Question{Proof: proof, Key: l.login.Key(), Repository: l.probe, Actions: []string{"pull", action}}
	token, err := l.client.Ask(ctx, q)
	if errors.Is(err, provider.ErrUnsupported) {
		return misconfigured(err, "clusters can have no login of a registry whose tokens don't say what they can do")
	}
	if err != nil {
		return err
	}
	v, what := token.Claims.Judge(l.probe, "pull")
	switch {
	case v == bearer.More:
		return misconfigured(errors.New("asked for "+action+" with pull_username, the token "+what+": what clusters get can only pull"),
			"take all rights but pull on the repositories below namespace from the account of pull_username")
	case v == bearer.Less && token.Known.Kind.LoginMayBeWrong():
		return token.Exactly(tokenserver.Question{Key: q.Key, Repository: l.probe, Actions: []string{"pull"}})
	}
	return nil
}
