package keeper

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// sayAgain is when an event is written again that says what the last one did.
const sayAgain = 15 * time.Minute

// say writes an event about a namespace's secret, which needn't be there.
func (k *Keeper) say(namespace, kind, reason, message string) {
	fresh, now := false, time.Now()
	k.states.with(namespace, func(st *state) {
		if text := reason + message; st.said != text || now.Sub(st.saidAt) >= sayAgain {
			fresh, st.said, st.saidAt = true, text, now
		}
	})
	if fresh {
		k.Events.Say(namespace, kind, reason, message)
	}
}

// invalid says that a namespace's mapping isn't right.
func (k *Keeper) invalid(namespace string, problem error) {
	const code = "invalid_project"
	before := ""
	k.states.with(namespace, func(st *state) { before, st.trouble = st.trouble, code })
	k.say(namespace, corev1.EventTypeWarning, "InvalidProject", problem.Error())
	if before == code {
		return
	}
	k.Metrics.failures.WithLabelValues(code).Inc()
	k.Log.Warn("a namespace's mapping isn't right", "namespace", namespace, "error", problem)
}

// failed takes note of a failure, says so, and returns when to try again.
func (k *Keeper) failed(ctx context.Context, namespace, project string, err error) time.Duration {
	if ctx.Err() != nil { // the term is over
		return time.Hour
	}
	t, after := troubleOf(err)
	now, wait, has := time.Now(), time.Duration(0), ""
	k.states.with(namespace, func(st *state) {
		has = standing(st.secret, now)
		if st.project != project { // it isn't about what the namespace is now
			return
		}
		st.failures++
		st.trouble, st.refused = t.code, t.refused
		wait = max(t.wait(st.failures), min(after, 10*time.Minute))
		st.notNow = now.Add(wait)
	})
	if t.code == "throttled" {
		k.states.pauseUntil(now.Add(min(max(after, time.Second), 10*time.Minute))) // it is this controller that asks too often, not one namespace
	}
	k.Metrics.failures.WithLabelValues(t.code).Inc()
	k.say(namespace, corev1.EventTypeWarning, t.reason, "project "+project+": "+t.sentence+"; "+has)
	k.Log.WarnContext(ctx, "a pull secret couldn't be kept", "namespace", namespace, "project", project, "code", t.code, "endpoint_code", client.CodeOf(err), "error", err, "again_in", wait.Round(time.Second))
	return wait
}

// standing is what the namespace has meanwhile.
func standing(v *view, now time.Time) string {
	switch {
	case v == nil:
		return "there is no pull secret"
	case v.expires.IsZero():
		return "the pull secret stays"
	case v.expired(now):
		return "the pull secret expired at " + v.expires.UTC().Format(time.RFC3339)
	default:
		return "the pull secret is good until " + v.expires.UTC().Format(time.RFC3339)
	}
}
