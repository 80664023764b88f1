package cache_test

import (
	"context"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// slowRegistry is a provider whose every answer costs upstream calls.
type slowRegistry struct{}

func (slowRegistry) Repository(project string, _ provider.Consumer) (name.Repository, error) {
	if err := provider.ValidateProject(project); err != nil {
		return name.Repository{}, err
	}
	return name.NewRepository("registry.example.com/" + project)
}

func (s slowRegistry) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	fmt.Println("upstream is asked for", r.Project, r.Access)
	target, err := s.Repository(r.Project, r.Consumer)
	return provider.Credentials{
		Target: target, Access: r.Access, Method: provider.LoginCredentials,
		Username: "user", Password: provider.NewSecret("secret"), ExpiresAt: time.Now().Add(time.Hour),
	}, err
}

func Example() {
	p := cache.New(slowRegistry{}, cache.Options{})
	defer func() { _ = provider.Close(p) }()

	for range 1000 {
		r := provider.Request{Project: "hello", Access: provider.Push}
		if _, err := provider.Issue(context.Background(), p, r); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(p.Stats().Hits, "hits")
	// Output:
	// upstream is asked for hello push
	// 999 hits
}

// A service that deletes a project may hold the provider behind decorators of its own.
func ExampleForgetter() {
	var p provider.Provider = cache.New(slowRegistry{}, cache.Options{})
	defer func() { _ = provider.Close(p) }()

	if f, ok := provider.As[cache.Forgetter](p); ok {
		f.Forget("hello")
	}
	// Output:
}
