package keeper_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/keeper"
	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/mapping"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// strict has every write compared with what the namespace is mapped to at that moment.
func (w *world) strict() {
	w.judge = func(namespace, project string) bool {
		n := w.namespaces[namespace]
		return n != nil && n.Labels[mapping.LabelKey] == project
	}
}

// A namespace is given to another project while the first one's credential is on its way.
func TestProjectChangesInFlight(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.strict()
		w.label("n", "shop")
		arrived, answer := make(chan struct{}), make(chan struct{})
		w.endpoint.answers(func(_ context.Context, project string) error {
			if project == "shop" {
				close(arrived)
				<-answer
			}
			return nil
		})
		w.start()
		<-arrived
		w.label("n", "blog")
		close(answer)
		w.settle()
		require.Equal(t, "blog", w.project("n"))
		require.Equal(t, []string{"create n"}, w.done())
	})
}

// As before, and this replica's watch doesn't see it in time.
func TestWatchIsBehind(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.strict()
		w.label("n", "shop")
		w.endpoint.answers(func(_ context.Context, project string) error {
			if project == "shop" {
				w.mu.Lock()
				n := w.namespaces["n"].DeepCopy()
				n.Labels = map[string]string{mapping.LabelKey: "blog"}
				w.namespaces["n"] = n // nobody is told
				w.mu.Unlock()
			}
			return nil
		})
		w.start()
		require.Empty(t, w.done())
		w.label("n", "blog")
		w.settle()
		require.Equal(t, "blog", w.project("n"))
	})
}

// The old project's secret goes first: whether the new one's can be had, or not, or not for long.
func TestProjectChanges(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"had": nil, "refused": &provider.Error{Kind: provider.ErrNotFound}, "down": &provider.Error{Kind: provider.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				w.strict()
				w.label("n", "shop")
				w.start()
				w.done()
				if err != nil {
					w.endpoint.fail(err)
				}
				w.label("n", "blog")
				w.settle()
				require.Equal(t, "delete n", w.done()[0])
				if err != nil {
					require.Empty(t, w.project("n"))
					w.pass(10 * time.Minute)
					require.Empty(t, w.project("n"))
					w.endpoint.well()
					w.pass(6 * time.Minute)
				}
				require.Equal(t, "blog", w.project("n"))
			})
		})
	}
}

// It goes at once even while all who ask wait for an endpoint that hangs.
func TestRemovalDoesntWait(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.label("n", "shop")
		w.start()
		w.endpoint.answers(func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return &provider.Error{Kind: provider.ErrTimeout, Err: ctx.Err()}
		})
		for _, namespace := range []string{"a", "b", "c", "d", "e", "f"} {
			w.label(namespace, "other")
		}
		w.settle()
		w.label("n", "blog")
		w.settle()
		require.Empty(t, w.project("n"))
	})
}

// What somebody else made is left alone: without our marks, or with another installation's.
func TestForeign(t *testing.T) {
	t.Parallel()
	for name, labels := range map[string]map[string]string{
		"unmarked":             nil,
		"another installation": {keeper.LabelManagedBy: keeper.ManagedBy, keeper.LabelInstallation: "other"},
		"another program":      {keeper.LabelManagedBy: "helm", keeper.LabelInstallation: installation},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				w.label("n", "shop")
				w.edit("n", func(s *corev1.Secret) { s.Labels = labels })
				before := w.secret("n")
				w.start()
				w.pass(3 * time.Hour)
				w.label("n", "blog")
				w.pass(time.Hour)
				w.label("n", "")
				w.pass(time.Hour)
				require.Equal(t, before, w.secret("n"))
				require.Empty(t, w.done())
				require.Zero(t, w.endpoint.count(), "nobody is asked for what has no place")
				require.Contains(t, strings.Join(w.events.all(), "\n"), "n Warning NotOurs")
				require.Positive(t, w.value("rise_pull_secrets_failures_total", "not_ours"))

				w.label("n", "shop")
				w.settle()
				w.remove("n")
				w.pass(3 * time.Minute)
				require.Equal(t, "shop", w.project("n"), "its place is free")
			})
		})
	}
}

// It becomes somebody else's while the credential is on its way.
func TestForeignInFlight(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.label("n", "shop")
		w.meanwhile(func(operation, _ string) {
			if operation == "create" {
				w.edit("n", func(*corev1.Secret) {})
			}
		})
		w.start()
		require.Empty(t, w.done())
		require.Empty(t, w.secret("n").Labels)
	})
}

// A tenant who may write secrets marks one as ours. That gives nobody another project's credential, and it lasts no longer than the controller needs.
func TestForgedMarks(t *testing.T) {
	t.Parallel()
	forge := func(s *corev1.Secret, project string) {
		s.Labels = map[string]string{keeper.LabelManagedBy: keeper.ManagedBy, keeper.LabelInstallation: installation}
		s.Annotations = map[string]string{keeper.AnnotationProject: project, keeper.AnnotationRenew: "2099-01-01T00:00:00Z", keeper.AnnotationExpires: "2099-01-02T00:00:00Z"}
		s.Data = map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"registry.example.com":{"auth":"evil"}}}`)}
	}
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		in(t, func(w *world) {
			w.strict()
			w.label("mine", "shop")
			w.label("victim", "blog")
			w.edit("mine", func(s *corev1.Secret) { forge(s, "blog") })
			w.edit("victim", func(s *corev1.Secret) { forge(s, "blog") })
			w.start()
			require.Equal(t, "shop", w.project("mine"))
			require.Equal(t, "blog", w.project("victim"))
		})
	})
	t.Run("while it runs", func(t *testing.T) {
		t.Parallel()
		in(t, func(w *world) {
			w.strict()
			w.label("mine", "shop")
			w.start()
			for _, project := range []string{"shop", "blog"} {
				w.edit("mine", func(s *corev1.Secret) { forge(s, project) })
				w.pass(5 * time.Minute)
				require.Equal(t, "shop", w.project("mine"))
			}
		})
	})
	t.Run("instead of ours", func(t *testing.T) {
		t.Parallel()
		in(t, func(w *world) {
			w.label("mine", "shop")
			w.start()
			w.mu.Lock()
			w.api.delete("mine")
			w.mu.Unlock()
			w.edit("mine", func(s *corev1.Secret) {
				forge(s, "shop")
				s.Annotations[keeper.AnnotationRenew] = time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
			})
			w.pass(time.Minute)
			require.Equal(t, "shop", w.project("mine"))
		})
	})
}

// Who writes all the time isn't answered all the time, and what they add stays.
func TestConflictingWriters(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.label("n", "shop")
		w.start()
		w.done()
		for i := range 600 {
			w.edit("n", func(s *corev1.Secret) {
				s.Data = map[string][]byte{corev1.DockerConfigJsonKey: []byte(strings.Repeat("x", i+1))}
			})
			time.Sleep(time.Second)
		}
		require.Less(t, len(w.done()), 8)
		w.pass(11 * time.Minute)
		require.Equal(t, "shop", w.project("n"))
		w.done()
		// Annotations of others: nothing is written, and the renewal keeps them.
		for range 100 {
			w.edit("n", func(s *corev1.Secret) { s.Annotations["theirs"] = time.Now().String() })
			time.Sleep(time.Second)
		}
		require.Empty(t, w.done())
		// In the very moment between reading and writing.
		n := 0
		w.meanwhile(func(operation, _ string) {
			if operation == "update" && n < 3 {
				n++
				w.edit("n", func(s *corev1.Secret) { s.Annotations["theirs"] = "last" })
			}
		})
		asked := w.endpoint.count()
		w.pass(36 * time.Minute)
		require.Equal(t, []string{"update n"}, w.done())
		require.Equal(t, asked+1, w.endpoint.count())
		require.Equal(t, "last", w.secret("n").Annotations["theirs"])
	})
}

// Nothing that a label can hold gets anything but the project of that very name.
func TestLabelsThatAreNoProjects(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		for i, label := range []string{"Shop", "shop_1", "shop.1", "a--b", "1-", strings.Repeat("a", 64), "*", "../blog", "shop&project=blog", "shop\n"} {
			w.label("n"+string(rune('a'+i)), label)
		}
		w.label("was", "shop")
		w.start()
		require.Equal(t, []string{"create was"}, w.done())
		w.label("was", "Shop")
		w.settle()
		require.Equal(t, []string{"delete was"}, w.done())
		require.Equal(t, []string{"shop"}, w.endpoint.asked)
		require.Equal(t, 11.0, w.value("rise_pull_secrets_failures_total", "invalid_project"))
		require.Equal(t, 11.0, w.value("rise_pull_secrets_failing_namespaces"))
	})
}

// What can't be changed is removed; what can't be removed is emptied.
func TestStubborn(t *testing.T) {
	t.Parallel()
	yes := true
	for name, change := range map[string]func(*corev1.Secret){
		"immutable":    func(s *corev1.Secret) { s.Immutable = &yes },
		"another type": func(s *corev1.Secret) { s.Type = corev1.SecretTypeOpaque },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				w.label("n", "shop")
				w.start()
				w.done()
				w.edit("n", change)
				w.pass(time.Minute)
				require.Equal(t, []string{"delete n", "create n"}, w.done())
			})
		})
	}
	t.Run("finalizer", func(t *testing.T) {
		t.Parallel()
		in(t, func(w *world) {
			w.label("n", "shop")
			w.start()
			w.edit("n", func(s *corev1.Secret) { s.Finalizers = []string{"evil/keep"} })
			w.settle()
			w.label("n", "blog")
			w.pass(time.Minute)
			require.Equal(t, `{"auths":{}}`, string(w.secret("n").Data[corev1.DockerConfigJsonKey]))
			require.Equal(t, []string{"evil/keep"}, w.secret("n").Finalizers)
			w.done()
			w.pass(time.Hour)
			require.Empty(t, w.done())
			w.mu.Lock()
			w.secrets["n"].Finalizers = nil
			w.api.delete("n")
			w.mu.Unlock()
			w.pass(time.Minute)
			require.Equal(t, "blog", w.project("n"))
		})
	})
}

// A namespace that is being deleted gets nothing new.
func TestNamespaceEnds(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.label("n", "shop")
		w.start()
		w.done()
		w.mu.Lock()
		delete(w.namespaces, "n")
		w.mu.Unlock()
		w.pass(2 * time.Hour)
		require.Empty(t, w.done(), "what the watch still shows isn't there any longer")
	})
}

// Whatever somebody does to the secret, once a second or twenty times: it isn't answered all the time, and the endpoint isn't asked all the time, whose limits are for all
// namespaces together.
func TestSomebodyGoesOn(t *testing.T) {
	t.Parallel()
	yes := true
	mark := func(s *corev1.Secret, project string) {
		s.Labels = map[string]string{keeper.LabelManagedBy: keeper.ManagedBy, keeper.LabelInstallation: installation}
		s.Annotations = map[string]string{keeper.AnnotationProject: project}
	}
	n := 0
	for name, change := range map[string]func(*corev1.Secret){
		"immutable":    func(s *corev1.Secret) { mark(s, "shop"); s.Immutable = &yes },
		"another type": func(s *corev1.Secret) { mark(s, "shop"); s.Type = corev1.SecretTypeOpaque },
		"project":      func(s *corev1.Secret) { mark(s, "blog") },
		"finalizer": func(s *corev1.Secret) {
			mark(s, "blog")
			s.Finalizers = []string{"evil/keep"}
			s.Data = map[string][]byte{corev1.DockerConfigJsonKey: []byte(strings.Repeat("x", n%100+1))}
			n++
		},
	} {
		for _, mapped := range []string{"shop", ""} {
			for _, pause := range []time.Duration{time.Second, 50 * time.Millisecond} {
				in(t, func(w *world) {
					w.label("n", mapped)
					w.start()
					w.done()
					before := w.endpoint.count()
					for range 10 * time.Minute / pause / 5 {
						w.edit("n", change)
						time.Sleep(pause)
					}
					require.Less(t, len(w.done()), 24, "%s, mapped to %q, each %v", name, mapped, pause)
					require.Less(t, w.endpoint.count()-before, 12, "%s, mapped to %q, each %v", name, mapped, pause)
					if name != "finalizer" {
						w.pass(21 * time.Minute)
						require.Equal(t, mapped, w.project("n"), "%s, each %v", name, pause)
					}
					w.label("n", "other") // at once, whatever was before
					w.settle()
					if name != "finalizer" {
						require.Equal(t, "other", w.project("n"))
					}
				})
			}
		}
	}
}

// What tenants write into annotations isn't what operators are woken by.
func TestMarksAreNoMetrics(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.label("n", "shop")
		w.start()
		for range 100 {
			w.edit("n", func(s *corev1.Secret) { s.Annotations[keeper.AnnotationExpires] = "2000-01-01T00:00:00Z" })
			time.Sleep(2 * time.Second)
			require.Greater(t, w.value("rise_pull_secrets_earliest_expiry_seconds"), 600.0)
			require.Zero(t, w.value("rise_pull_secrets_expired_secrets"))
		}
	})
}
