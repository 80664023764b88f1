package cluster

import (
	"context"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/rest"
)

// Lease is the Lease with one name in one namespace.
type Lease struct {
	coordination    rest.Interface
	namespace, name string
}

// Lease returns the Lease with this name, whether there is one or not.
func (c *Cluster) Lease(namespace, name string) *Lease {
	return &Lease{c.coordination, namespace, name}
}

// Get reads it.
func (l *Lease) Get(ctx context.Context) (*coordinationv1.Lease, error) {
	got := &coordinationv1.Lease{}
	return got, l.coordination.Get().Namespace(l.namespace).Resource("leases").Name(l.name).Do(ctx).Into(got)
}

// Create makes it, with the name that it has.
func (l *Lease) Create(ctx context.Context, lease *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	lease.Namespace, lease.Name = l.namespace, l.name
	got := &coordinationv1.Lease{}
	return got, l.coordination.Post().Namespace(l.namespace).Resource("leases").Body(lease).Do(ctx).Into(got)
}

// Update replaces it, if it is still the one that lease.ResourceVersion names.
func (l *Lease) Update(ctx context.Context, lease *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	got := &coordinationv1.Lease{}
	return got, l.coordination.Put().Namespace(l.namespace).Resource("leases").Name(l.name).Body(lease).Do(ctx).Into(got)
}
