package server

import (
	"context"
	"slices"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// ECR is ecr.Builder for a factory that a server builds with: it takes the server's additions.
func ECR(opts ...ecr.Option) provider.Builder {
	return provider.NewBuilder(ecr.Type, ecr.DefaultConfig, func(ctx context.Context, c ecr.Config) (*ecr.Provider, error) {
		return ecr.New(ctx, c, slices.Concat(opts, added(ctx))...)
	})
}

// additions are options that a server adds to those of the ecr provider that it builds. The factory is the program's, made before the server
// is, so they go by the context of building.
type additions struct {
	options []ecr.Option
	taken   bool // by ECR's builder
}

type additionsKey struct{}

func (a *additions) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, additionsKey{}, a)
}

// added takes the additions of who builds, if that is a server.
func added(ctx context.Context) []ecr.Option {
	a, ok := ctx.Value(additionsKey{}).(*additions)
	if !ok {
		return nil
	}
	a.taken = true
	return a.options
}
