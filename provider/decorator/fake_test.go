package decorator_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

var push = provider.Request{Project: "hello", Access: provider.Push}

func repository(t *testing.T, text string) name.Repository {
	t.Helper()
	r, err := name.NewRepository(text)
	require.NoError(t, err)
	return r
}

// valid returns credentials that pass for push.
func valid(t *testing.T) provider.Credentials {
	t.Helper()
	return provider.Credentials{
		Target: repository(t, "registry.example.com/rise/hello"), Access: provider.Push, Method: provider.LoginCredentials,
		Username: "AWS", Password: provider.NewSecret("secret"), ExpiresAt: time.Now().Add(time.Hour),
	}
}

// fake answers what it is told, whatever is asked.
type fake struct {
	credentials provider.Credentials
	asked       atomic.Int32
	answer      func(provider.Request) provider.Credentials // wins over credentials
}

func (f *fake) Repository(project string, _ provider.Consumer) (name.Repository, error) {
	return name.NewRepository("registry.example.com/rise/" + project)
}

func (f *fake) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	f.asked.Add(1)
	if f.answer != nil {
		return f.answer(r), nil
	}
	return f.credentials, nil
}

// wrapper is a decorator.
type wrapper struct{ provider.Provider }

func (w *wrapper) Unwrap() provider.Provider { return w.Provider }
