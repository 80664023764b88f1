package keeper_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/keeper"
)

func TestLife(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.label("shop-1", "shop")
		w.label("shop-2", "shop")
		w.label("blog", "blog")
		w.label("nothing", "")
		w.start()
		require.ElementsMatch(t, []string{"create shop-1", "create shop-2", "create blog"}, w.done())
		s := w.secret("shop-1")
		require.Equal(t, corev1.SecretTypeDockerConfigJson, s.Type)
		require.Equal(t, map[string]string{"app.kubernetes.io/managed-by": "rise-pull-secrets", "rise/installation": "test"}, s.Labels)
		require.Equal(t, "shop", s.Annotations["rise/project"])
		expires, err := time.Parse(time.RFC3339, s.Annotations["rise/expires-at"])
		require.NoError(t, err)
		renew, err := time.Parse(time.RFC3339, s.Annotations["rise/renew-at"])
		require.NoError(t, err)
		require.WithinRange(t, renew, expires.Add(-30*time.Minute), expires.Add(-24*time.Minute+time.Second))
		require.Equal(t, 3.0, w.value("rise_pull_secrets_secrets"))
		require.InDelta(t, 3600, w.value("rise_pull_secrets_earliest_expiry_seconds"), 2)

		// A restart renews nothing, and nothing is renewed before half of its life.
		w.stop()
		w.start()
		w.pass(29 * time.Minute)
		require.Empty(t, w.done())
		require.Equal(t, 3, w.endpoint.count())

		// Each is renewed once then, and goes on so.
		w.pass(7 * time.Minute)
		require.ElementsMatch(t, []string{"update shop-1", "update shop-2", "update blog"}, w.done())
		require.Equal(t, s.UID, w.secret("shop-1").UID, "it is the same secret: kubelets know that they pulled with it")
		w.pass(12 * time.Hour)
		require.InDelta(t, 3*22, len(w.done()), 6)
		require.Equal(t, float64(w.endpoint.count()), w.value("rise_pull_secrets_renewals_total"))

		// What is mapped to nothing any longer loses it; others don't.
		w.label("shop-1", "")
		w.settle()
		require.Equal(t, []string{"delete shop-1"}, w.done())
		require.Contains(t, w.events.all(), "shop-1 Normal Removed: removed the pull secret of project shop: the namespace isn't mapped to a project any longer")
		w.label("new", "blog")
		w.settle()
		require.Equal(t, []string{"create new"}, w.done())
	})
}

// The endpoint gives the same credential for a while. Nothing is written for that, and none is asked for without end.
func TestSameCredential(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.endpoint.same = true
		w.label("shop", "shop")
		w.start()
		w.done()
		w.pass(time.Hour - 5*time.Second)
		require.Empty(t, w.done())
		require.Less(t, w.endpoint.count(), 14)
		w.endpoint.mu.Lock()
		w.endpoint.first = time.Now()
		w.endpoint.mu.Unlock()
		w.pass(4 * time.Second)
		require.Equal(t, []string{"update shop"}, w.done(), "one that lives longer is written, though it is the same")
	})
}

func TestNoExpiry(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.endpoint.life = 0
		w.label("shop", "shop")
		w.start()
		require.NotContains(t, w.secret("shop").Annotations, keeper.AnnotationExpires)
		require.Equal(t, -1.0, w.value("rise_pull_secrets_earliest_expiry_seconds"), "absent")
		w.done()
		w.pass(5 * time.Hour)
		require.Empty(t, w.done())
		w.pass(3 * time.Hour)
		require.Equal(t, []string{"update shop"}, w.done())
	})
}

// Very short lives don't make the controller run in circles.
func TestShortLife(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.endpoint.life = 2 * time.Second
		w.label("shop", "shop")
		w.start()
		w.pass(time.Minute)
		require.LessOrEqual(t, w.endpoint.count(), 61)
	})
}

// Who lost the Lease writes nothing any longer, not even what is on its way.
func TestLostLease(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.label("shop", "shop")
		w.start()
		w.done()
		lost := errors.New("another one leads")
		w.check = nil
		w.stop()
		w.check = func() error { return lost }
		w.start()
		w.label("shop", "blog")
		w.label("new", "other")
		w.pass(2 * time.Hour)
		require.Empty(t, w.done())
		require.Equal(t, "shop", w.project("shop"))
	})
}

// The API server is away for a while.
func TestAPIServerFails(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		broken := errors.New("connection refused")
		w.refuse = func(string) error { return broken }
		w.label("shop", "shop")
		w.start()
		w.pass(5 * time.Minute)
		require.Empty(t, w.done())
		require.Less(t, w.endpoint.count(), 20)
		w.mu.Lock()
		w.refuse = func(string) error { return nil }
		w.mu.Unlock()
		w.pass(time.Minute)
		require.Equal(t, []string{"create shop"}, w.done())
	})
}
