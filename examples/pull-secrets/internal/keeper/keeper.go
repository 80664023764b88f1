package keeper

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// API is the cluster. Its errors are the API server's. Secrets and Named see secrets of the one name that ours have, Secrets only those with the labels of [Selector].
type API interface {
	Namespaces() cache.ListerWatcher
	Secrets() cache.ListerWatcher
	Namespace(ctx context.Context, name string) (*corev1.Namespace, error)
	Named(ctx context.Context, namespace string) (*metav1.PartialObjectMetadata, error)
	Create(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error)
	Update(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error)
	Delete(ctx context.Context, namespace string, uid types.UID, version string) error
}

// Source has credentials, for clusters; it is a client of package registry/client.
type Source interface {
	Credentials(ctx context.Context, project string, access provider.Access) (provider.Credentials, error)
	Forget(project string)
}

// Mapping says which project a namespace with these labels is mapped to; "" for none. An error maps to none, too, and says why.
type Mapping interface {
	Project(namespace string, labels map[string]string) (string, error)
}

// Events tells whoever looks at a namespace. It doesn't wait.
type Events interface {
	Say(namespace, kind, reason, message string)
}

// Config is what a [Keeper] works with. Every field is needed.
type Config struct {
	API          API
	Source       Source
	Mapping      Mapping
	Events       Events
	Metrics      *Metrics
	Log          *slog.Logger
	Secret       string        // name of the secrets
	Installation string        // whose they are
	Workers      int           // how many ask at once
	Patience     time.Duration // how long one may ask
}

// A Keeper works for one term of leading. Make it with [New]. It is a [prometheus.Collector] of what it keeps.
type Keeper struct {
	Config
	digests    digests
	states     states
	looks      workqueue.TypedRateLimitingInterface[string]
	asks       workqueue.TypedRateLimitingInterface[string]
	namespaces cache.Store
	synced     atomic.Bool
	check      func() error
}

// New returns a keeper that does nothing yet.
func New(config Config) *Keeper {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	queue := func() workqueue.TypedRateLimitingInterface[string] {
		return workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	}
	return &Keeper{Config: config, digests: digests{key}, states: states{of: map[string]*state{}}, looks: queue(), asks: queue()}
}

// Synced reports whether the keeper knows what there is.
func (k *Keeper) Synced() bool { return k.synced.Load() }

// Changed has these namespaces looked at, as their mapping isn't what it was.
func (k *Keeper) Changed(namespaces []string) {
	for _, namespace := range namespaces {
		k.looks.Add(namespace)
	}
}
