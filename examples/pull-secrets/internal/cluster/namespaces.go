package cluster

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// Namespaces lists and watches all namespaces.
func (c *Cluster) Namespaces() cache.ListerWatcher {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			list := &corev1.NamespaceList{}
			return list, c.core.Get().Resource("namespaces").VersionedParams(&options, metav1.ParameterCodec).Do(ctx).Into(list)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.Watch = true
			return c.core.Get().Resource("namespaces").VersionedParams(&options, metav1.ParameterCodec).Watch(ctx)
		},
	}
}

// Namespace returns a namespace as it is now, not as a watch last saw it.
func (c *Cluster) Namespace(ctx context.Context, name string) (*corev1.Namespace, error) {
	n := &corev1.Namespace{}
	return n, c.core.Get().Resource("namespaces").Name(name).Do(ctx).Into(n)
}
