package keeper

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// tries is how often something is tried at once that somebody else's write got in the way of.
const tries = 5

// remove deletes our secret, whatever version it has by now, as long as it says that it is ours.
func (k *Keeper) remove(ctx context.Context, namespace string, v *view, why string) error {
	var err error
	for range tries {
		if err = k.check(); err != nil {
			return err
		}
		err = k.API.Delete(ctx, namespace, v.uid(), v.meta.ResourceVersion)
		if err == nil {
			k.Metrics.writes.WithLabelValues("delete").Inc()
			k.dropped(namespace, v)
			k.again(namespace)
			k.say(namespace, corev1.EventTypeNormal, "Removed", "removed the pull secret of project "+v.project+": "+why)
			k.Log.InfoContext(ctx, "removed a pull secret", "namespace", namespace, "project", v.project, "why", why)
			return nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			return err
		}
		next, failed := k.now(ctx, namespace)
		if failed != nil {
			return failed
		}
		if next == nil || next.uid() != v.uid() {
			k.dropped(namespace, v)
			if next != nil {
				k.states.observe(next)
			}
			return nil
		}
		v = next
	}
	return err
}

// again takes note that a secret had to go. Who makes it again is answered at once, and then less and less often: as often as a tenant likes to write, the endpoint would
// be asked, and the API server.
func (k *Keeper) again(namespace string) {
	k.states.with(namespace, func(st *state) {
		if st.fights++; st.fights > 1 {
			st.notNow = later(st.notNow, time.Now().Add(truce(st.fights-1)))
		}
	})
}

// dropped takes note that a secret isn't there. One that finalizers keep comes back by the watch.
func (k *Keeper) dropped(namespace string, v *view) {
	k.states.with(namespace, func(st *state) {
		st.wrote = nil
		if st.secret != nil && st.secret.uid() == v.uid() {
			st.secret = nil
		}
	})
}

// blank takes out what is in a secret that can't be removed.
func (k *Keeper) blank(ctx context.Context, namespace string, v *view, why string) error {
	if err := k.check(); err != nil {
		return err
	}
	s := &corev1.Secret{ObjectMeta: v.mark(v.meta, k.Installation), Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(emptied)}}
	written, err := k.API.Update(ctx, s)
	switch {
	case apierrors.IsNotFound(err):
		k.dropped(namespace, v)
		return nil
	case err != nil:
		return err
	}
	k.Metrics.writes.WithLabelValues("update").Inc()
	k.states.observe(k.digests.view(written))
	k.again(namespace)
	k.say(namespace, corev1.EventTypeWarning, "Emptied", "emptied the pull secret of project "+v.project+": "+why)
	k.Log.WarnContext(ctx, "emptied a pull secret", "namespace", namespace, "project", v.project, "why", why)
	return nil
}

// now is our secret as the API server has it now, but for its content; nil if there is none that is ours, and errNotOurs if there is somebody else's.
func (k *Keeper) now(ctx context.Context, namespace string) (*view, error) {
	meta, err := k.API.Named(ctx, namespace)
	if err != nil || meta == nil {
		return nil, err
	}
	if !ours(meta.Labels, k.Installation) {
		return nil, errNotOurs
	}
	return &view{marks: readMarks(meta.Annotations), meta: meta.ObjectMeta, ending: meta.DeletionTimestamp != nil}, nil
}
