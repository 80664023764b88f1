package cluster

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// metadataOnly has the API server leave out of its answer what a list's objects hold.
const metadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

// Secrets lists and watches our secrets, in all namespaces: those with our name and our labels. RBAC lets who may do so for one resource name ask with just
// this field selector, so that others' secrets are out of reach.
func (c *Cluster) Secrets() cache.ListerWatcher {
	ours := func(o *metav1.ListOptions) {
		o.FieldSelector, o.LabelSelector = c.named(), c.selector
	}
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			ours(&options)
			list := &corev1.SecretList{}
			return list, c.core.Get().Resource("secrets").VersionedParams(&options, metav1.ParameterCodec).Do(ctx).Into(list)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			ours(&options)
			options.Watch = true
			return c.core.Get().Resource("secrets").VersionedParams(&options, metav1.ParameterCodec).Watch(ctx)
		},
	}
}

func (c *Cluster) named() string {
	return fields.OneTermEqualSelector(metav1.ObjectNameField, c.secret).String()
}

// Named returns who the secret with our name in a namespace says that it is, as it is now, whoever made it: never its content. It is nil if there is none.
func (c *Cluster) Named(ctx context.Context, namespace string) (*metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	err := c.core.Get().Namespace(namespace).Resource("secrets").SetHeader("Accept", metadataOnly).
		VersionedParams(&metav1.ListOptions{FieldSelector: c.named()}, metav1.ParameterCodec).Do(ctx).Into(list)
	if err != nil || len(list.Items) == 0 {
		return nil, err
	}
	return &list.Items[0], nil
}

// Create makes a secret.
func (c *Cluster) Create(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	made := &corev1.Secret{}
	return made, c.core.Post().Namespace(s.Namespace).Resource("secrets").Body(s).Do(ctx).Into(made)
}

// Update replaces a secret, if it is still the one that s.ResourceVersion names.
func (c *Cluster) Update(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	made := &corev1.Secret{}
	return made, c.core.Put().Namespace(s.Namespace).Resource("secrets").Name(s.Name).Body(s).Do(ctx).Into(made)
}

// Delete removes the secret with our name, if it is still the one that uid and version name.
func (c *Cluster) Delete(ctx context.Context, namespace string, uid types.UID, version string) error {
	return c.core.Delete().Namespace(namespace).Resource("secrets").Name(c.secret).
		Body(&metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}}).Do(ctx).Error()
}
