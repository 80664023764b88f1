package app

import (
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/examples/internal/server"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Builders returns the builders of all of this library's types, as the reference programs have them. The built-in configurations
// need them.
func Builders() []provider.Builder {
	return []provider.Builder{ECR(), oci.ClientAuthBuilder()}
}

// ECR returns [ecr.Builder] in a form that [Server] can add to: its metrics count the calls to AWS, its log is the provider's, and its run mode
// ecr-local goes to a double of AWS. That mode refuses ecr.Builder itself, which else works as well.
func ECR(opts ...ecr.Option) provider.Builder { return server.ECR(opts...) }
