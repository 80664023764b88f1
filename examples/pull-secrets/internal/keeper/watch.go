package keeper

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

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
