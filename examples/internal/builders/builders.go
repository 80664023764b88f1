// Package builders has the builders that take what the program adds which builds with them: the factory is its maker's, and made before
// server or operator are, so additions go by the context of building. Programs use it by package app.
package builders

import (
	"context"
	"slices"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// ECR is ecr.Builder, with additions.
func ECR(opts ...ecr.Option) provider.Builder {
	return provider.NewBuilder(ecr.Type, ecr.DefaultConfig, func(ctx context.Context, c ecr.Config) (*ecr.Provider, error) {
		return ecr.New(ctx, c, slices.Concat(opts, taken(ctx).ECR)...)
	})
}

// TokenIssuer is tokenissuer.Builder, with additions.
func TokenIssuer(opts ...tokenissuer.Option) provider.Builder {
	return provider.NewBuilder(tokenissuer.Type, tokenissuer.DefaultConfig, func(ctx context.Context, c tokenissuer.Config) (*tokenissuer.Provider, error) {
		return tokenissuer.New(c, slices.Concat(opts, taken(ctx).TokenIssuer)...)
	})
}

// Additions are options beside those that a builder was made with.
type Additions struct {
	ECR         []ecr.Option
	TokenIssuer []tokenissuer.Option
	// Taken says that a builder looked for them.
	Taken bool
}

type key struct{}

// In returns a context of building that has them.
func (a *Additions) In(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, a) }

// taken are the additions of who builds.
func taken(ctx context.Context) *Additions {
	a, ok := ctx.Value(key{}).(*Additions)
	if !ok {
		return &Additions{}
	}
	a.Taken = true
	return a
}
