package keeper

import (
	"context"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// unchanging is how long what doesn't expire is kept before it is asked for again.
const unchanging = 12 * time.Hour

// half is when a credential that came now is to be renewed: at half of its life, and up to a tenth of it later.
func half(now, expires time.Time) time.Time {
	life := unchanging
	if !expires.IsZero() {
		life = expires.Sub(now)
	}
	return now.Add(life/2 + rand.N(life/10+1)) //nolint:gosec // so that what began together doesn't stay together
}

// marked is what will be said of a credential that came now.
func marked(project string, c provider.Credentials, now time.Time) marks {
	m := marks{project: project, renew: half(now, c.ExpiresAt).UTC().Truncate(time.Second)}
	if !c.ExpiresAt.IsZero() {
		m.expires = c.ExpiresAt.UTC().Truncate(time.Second)
	}
	return m
}

// write puts a credential into the namespace, if it is still mapped to the project. Where somebody else writes at the same time, it looks again.
func (k *Keeper) write(ctx context.Context, namespace string, m marks, payload []byte) error {
	var err error
	for range tries {
		if err = k.mapped(ctx, namespace, m.project); err != nil {
			return err
		}
		if err = k.check(); err != nil {
			return err
		}
		var v *view
		k.states.with(namespace, func(st *state) { v = st.secret })
		if v != nil && (v.project != m.project || v.fixed || v.ending) {
			return errMoved // it has to go first
		}
		var written *corev1.Secret
		if written, err = k.put(ctx, namespace, v, m, payload); err == nil {
			after := k.digests.view(written)
			k.states.observe(after)
			k.states.with(namespace, func(st *state) { st.wrote = after })
			return nil
		}
		switch {
		case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
			return errMoved
		case !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err):
			return err
		}
		next, failed := k.now(ctx, namespace)
		if failed != nil {
			return failed
		}
		if next == nil {
			k.states.with(namespace, func(st *state) { st.secret = nil })
			continue
		}
		k.states.observe(next)
	}
	return err
}

// put creates the secret, or replaces v.
func (k *Keeper) put(ctx context.Context, namespace string, v *view, m marks, payload []byte) (*corev1.Secret, error) {
	s := &corev1.Secret{
		ObjectMeta: m.mark(metav1.ObjectMeta{Name: k.Secret, Namespace: namespace}, k.Installation),
		Type:       corev1.SecretTypeDockerConfigJson,
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: payload},
	}
	operation, write := "create", k.API.Create
	if v != nil {
		operation, write = "update", k.API.Update
		s.ObjectMeta = m.mark(v.meta, k.Installation)
	}
	written, err := write(ctx, s)
	if err == nil {
		k.Metrics.writes.WithLabelValues(operation).Inc()
	}
	return written, err
}

// mapped asks the API server itself, as a watch may be behind.
func (k *Keeper) mapped(ctx context.Context, namespace, project string) error {
	n, err := k.API.Namespace(ctx, namespace)
	switch {
	case apierrors.IsNotFound(err):
		return errMoved
	case err != nil:
		return err
	}
	if is, err := k.Mapping.Project(namespace, n.Labels); err != nil || is != project || n.DeletionTimestamp != nil {
		return errMoved
	}
	return nil
}
