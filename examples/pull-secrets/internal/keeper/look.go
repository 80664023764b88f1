package keeper

import (
	"context"
	"time"
)

// look decides what has to be done with a namespace's secret, and does all but asking.
func (k *Keeper) look(ctx context.Context, namespace string) {
	now := time.Now()
	s, problem := k.situation(namespace)
	if problem != nil {
		k.invalid(namespace, problem)
	}
	d := s.decide(now)
	switch d.step {
	case rest:
		k.settle(namespace, s, problem)
		if !d.until.IsZero() {
			k.looks.AddAfter(namespace, d.until.Sub(now))
		}
	case ask:
		k.asks.Add(namespace)
	case remove, blank:
		do := k.remove
		if d.step == blank {
			do = k.blank
		}
		if err := do(ctx, namespace, s.secret, d.why); err != nil {
			k.looks.AddAfter(namespace, k.failed(ctx, namespace, s.project, err))
			return
		}
		k.looks.Add(namespace)
	}
}

// settle forgets what has no meaning any longer.
func (k *Keeper) settle(namespace string, s situation, problem error) {
	if s.there && s.project != "" {
		return
	}
	k.states.with(namespace, func(st *state) {
		after := state{project: s.project, secret: st.secret, said: st.said, saidAt: st.saidAt, fights: st.fights, notNow: st.notNow}
		if problem != nil {
			after.trouble = st.trouble
		}
		*st = after
	})
	if !s.there {
		k.states.forget(namespace)
	}
}
