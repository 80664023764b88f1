// Package providers lists the provider types that the example binaries offer.
package providers

import (
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/examples/customprovider"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// Factory returns a factory of all of them, with options for ECR's.
func Factory(opts ...ecr.Option) (*registry.Factory, error) {
	return registry.NewFactory(ecr.Builder(opts...), oci.ClientAuthBuilder(), customprovider.Builder())
}
