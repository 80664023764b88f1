package keeper

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// ask asks the endpoint for the namespace's project and writes what it answers.
func (k *Keeper) ask(ctx context.Context, namespace string) {
	now := time.Now()
	s, _ := k.situation(namespace)
	d := s.decide(now)
	if d.step != ask {
		k.looks.Add(namespace)
		return
	}
	if pause := k.states.paused(now); pause > 0 {
		k.asks.AddAfter(namespace, pause)
		return
	}
	if err := k.vacant(ctx, namespace, s.secret); err != nil {
		k.looks.AddAfter(namespace, k.failed(ctx, namespace, s.project, err))
		return
	}
	c, payload, err := k.credential(ctx, s.project)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		k.Metrics.renewals.Inc()
		err = k.keep(ctx, namespace, s, d, c, payload)
	}
	switch {
	case errors.Is(err, errMoved):
		k.moved(namespace, s.project)
		k.looks.Add(namespace)
	case err != nil:
		k.looks.AddAfter(namespace, k.failed(ctx, namespace, s.project, err))
	default:
		k.looks.Add(namespace)
	}
}

// moved has nobody ask until the watch may have seen that the namespace is mapped to something else. Once it has, nobody waits.
func (k *Keeper) moved(namespace, project string) {
	k.states.with(namespace, func(st *state) {
		if st.project != project { // it has
			return
		}
		st.failures++
		st.notNow = time.Now().Add(trouble{least: 500 * time.Millisecond, most: 30 * time.Second}.wait(st.failures))
	})
}

// vacant looks whether the place for a new secret is taken, before the endpoint is asked.
func (k *Keeper) vacant(ctx context.Context, namespace string, v *view) error {
	if v != nil {
		return nil
	}
	_, err := k.now(ctx, namespace)
	return err
}

// credential is a new one: what the client keeps may be from before the project was another one's.
func (k *Keeper) credential(ctx context.Context, project string) (provider.Credentials, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, k.Patience)
	defer cancel()
	k.Source.Forget(project)
	c, err := k.Source.Credentials(ctx, project, provider.Pull)
	if err != nil {
		return c, nil, err
	}
	if err := c.Check(provider.Request{Project: project, Access: provider.Pull, Consumer: provider.Cluster}, time.Now()); err != nil {
		return c, nil, err
	}
	payload, err := c.PullSecret()
	return c, payload, err
}

// shortest is how long after a credential came the next one is asked for, however short its life.
const shortest = time.Second

// keep writes a credential, unless the secret holds it already: endpoints give the same one to who asks again soon.
func (k *Keeper) keep(ctx context.Context, namespace string, s situation, d decision, c provider.Credentials, payload []byte) error {
	now := time.Now()
	m := marked(s.project, c, now)
	if v := s.secret; v != nil && d.why == whyDue && v.digest == k.digests.payload(payload) && v.expires.Sub(m.expires).Abs() <= 5*time.Second {
		k.succeeded(namespace, func(st *state) {
			st.wrote, st.notNow = v, later(m.renew, now.Add(shortest))
		})
		return nil
	}
	if err := k.write(ctx, namespace, m, payload); err != nil {
		return err
	}
	k.succeeded(namespace, func(st *state) {
		st.notNow = now.Add(shortest)
		if st.fights = k.fight(namespace, d.why, st.fights); st.fights > 0 {
			st.notNow = later(st.notNow, earlier(now.Add(truce(st.fights)), m.renew))
		}
	})
	if s.secret == nil {
		k.say(namespace, corev1.EventTypeNormal, "Created", "made the pull secret of project "+s.project)
	}
	k.Log.InfoContext(ctx, "wrote a pull secret", "namespace", namespace, "project", s.project, "why", d.why, "expires_at", m.expires, "renew_at", m.renew)
	return nil
}

// fight counts how often in a row somebody undid what was written, so that two who disagree don't write all the time. What had to be removed first is counted there.
func (k *Keeper) fight(namespace, why string, fights int) int {
	switch why {
	case whyChanged, whyDeleted:
		k.Log.Warn("somebody else writes our pull secret", "namespace", namespace, "what", why)
		return fights + 1
	case whyNone:
		return fights
	default:
		return 0
	}
}

func (k *Keeper) succeeded(namespace string, and func(*state)) {
	recovered := false
	k.states.with(namespace, func(st *state) {
		recovered = st.trouble != ""
		st.trouble, st.failures, st.refused = "", 0, false
		and(st)
	})
	if recovered {
		k.say(namespace, corev1.EventTypeNormal, "Recovered", "the pull secret can be renewed again")
	}
}
