package provider_test

import (
	"context"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// fake answers what it is told, whatever is asked.
type fake struct {
	host        string
	credentials provider.Credentials
	err         error
	asked       atomic.Int32
}

func (f *fake) Repository(project string, _ provider.Consumer) (name.Repository, error) {
	if err := provider.ValidateProject(project); err != nil {
		return name.Repository{}, err
	}
	host := f.host
	if host == "" {
		host = "registry.example.com"
	}
	return name.NewRepository(host + "/rise/" + project)
}

func (f *fake) Credentials(context.Context, provider.Request) (provider.Credentials, error) {
	f.asked.Add(1)
	return f.credentials, f.err
}

// wrapper is a decorator.
type wrapper struct {
	provider.Provider
	closed *[]string
	name   string
	err    error
}

func (w *wrapper) Unwrap() provider.Provider { return w.Provider }

func (w *wrapper) Close() error {
	*w.closed = append(*w.closed, w.name)
	return w.err
}
