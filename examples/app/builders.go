package app

import (
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/examples/internal/builders"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Builders returns the builders of all of this library's types, as the reference programs have them. The built-in configurations
// need them.
func Builders() []provider.Builder {
	return []provider.Builder{ECR(), oci.ClientAuthBuilder(), TokenIssuer(), tokenauth.Builder()}
}

// ECR returns [ecr.Builder] in a form that [Server] can add to: its metrics count the calls to AWS, its log is the provider's, and its run mode
// ecr-local goes to a double of AWS. That mode refuses ecr.Builder itself, which else works as well.
func ECR(opts ...ecr.Option) provider.Builder { return builders.ECR(opts...) }

// TokenIssuer returns [tokenissuer.Builder] in a form that [Server] can add to: its log is the provider's, and the embedded registry has keys
// that are made at each start. A configuration with that registry refuses tokenissuer.Builder itself, which else works as well.
func TokenIssuer(opts ...tokenissuer.Option) provider.Builder { return builders.TokenIssuer(opts...) }
