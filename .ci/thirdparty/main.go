// Third-party is a program outside of this repository, which has only what a release gives it. Folders that begin with a dot are no
// packages of ours: .ci/try-release builds it.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/examples/customprovider"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
)

func main() {
	factory, err := registry.NewFactory(ecr.Builder(), oci.ClientAuthBuilder(), customprovider.Builder())
	if err != nil {
		log.Fatal(err)
	}
	cfg := struct {
		Registry registry.Config `yaml:"registry"`
	}{factory.Config()}
	if err := configload.Load(&cfg); err != nil {
		log.Fatal(err)
	}
	p, err := factory.Build(context.Background(), cfg.Registry)
	if err != nil {
		log.Fatal(err)
	}
	c, err := provider.Issue(context.Background(), p, provider.Request{Project: "hello", Access: provider.Push})
	fmt.Println(c.Target, err)
}
