package keeper

import (
	"context"
	"errors"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

var errNotSynced = errors.New("what there is in the cluster couldn't be read")

// Run works until ctx ends, once. check says whether this replica may still write, before each write. When Run returns, nothing is written any longer.
func (k *Keeper) Run(ctx context.Context, check func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k.check = check
	var running sync.WaitGroup
	defer running.Wait()
	defer k.looks.ShutDown()
	defer k.asks.ShutDown()
	namespaces, watchNamespaces := k.watchNamespaces()
	watchSecrets := k.watchSecrets()
	k.namespaces = namespaces
	running.Go(func() { watchNamespaces.RunWithContext(ctx) })
	running.Go(func() { watchSecrets.RunWithContext(ctx) })
	if !cache.WaitForCacheSync(ctx.Done(), watchNamespaces.HasSynced, watchSecrets.HasSynced) {
		cancel()
		return errNotSynced
	}
	k.synced.Store(true)
	for range 4 {
		running.Go(func() { k.work(ctx, k.looks, k.look) })
	}
	for range max(k.Workers, 1) {
		running.Go(func() { k.work(ctx, k.asks, k.ask) })
	}
	<-ctx.Done()
	return nil
}

func (k *Keeper) work(ctx context.Context, queue workqueue.TypedRateLimitingInterface[string], do func(context.Context, string)) {
	for {
		namespace, ended := queue.Get()
		if ended {
			return
		}
		if ctx.Err() == nil {
			do(ctx, namespace)
		}
		queue.Done(namespace)
	}
}

// watchNamespaces has a namespace looked at whenever it changes.
func (k *Keeper) watchNamespaces() (cache.Store, cache.Controller) {
	look := func(object any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object); err == nil {
			k.looks.Add(key)
		}
	}
	return cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: k.API.Namespaces(), ObjectType: &corev1.Namespace{},
		Handler: cache.ResourceEventHandlerFuncs{AddFunc: look, UpdateFunc: func(_, object any) { look(object) }, DeleteFunc: look},
	})
}

// watchSecrets keeps what is known of our secrets, and has a namespace looked at whenever one changes. Contents are taken out before anything is kept.
func (k *Keeper) watchSecrets() cache.Controller {
	_, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: k.API.Secrets(), ObjectType: &corev1.Secret{},
		Transform: func(object any) (any, error) {
			if s, ok := object.(*corev1.Secret); ok {
				k.digests.strip(s)
			}
			return object, nil
		},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { k.saw(object) },
			UpdateFunc: func(_, object any) { k.saw(object) },
			DeleteFunc: func(object any) {
				if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
					object = last.Obj
				}
				if s, ok := object.(*corev1.Secret); ok {
					k.states.gone(s)
					k.looks.Add(s.Namespace)
				}
			},
		},
	})
	return controller
}

func (k *Keeper) saw(object any) {
	s, ok := object.(*corev1.Secret)
	if !ok || s.Name != k.Secret || !ours(s.Labels, k.Installation) { // as if the API server didn't select
		return
	}
	v := k.digests.view(s)
	k.states.observe(v)
	if !k.synced.Load() { // another replica's work, or that of an earlier process: a restart renews nothing
		k.states.with(s.Namespace, func(st *state) { st.wrote = v })
	}
	k.looks.Add(s.Namespace)
}
