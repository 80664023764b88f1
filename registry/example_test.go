package registry_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
)

func Example() {
	files := fstest.MapFS{"development.yaml": &fstest.MapFile{Data: []byte(`
listen: 127.0.0.1:8080
registry:
  type: oci-client-auth
  registry_url: registry.example.com
  namespace: rise-apps
`)}}
	factory, err := registry.NewFactory(oci.ClientAuthBuilder()) // and ecr.Builder(), and your own
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := struct {
		Listen   string          `yaml:"listen"`
		Registry registry.Config `yaml:"registry"`
	}{Listen: ":8080", Registry: factory.Config()}
	if err := (configload.Loader{FS: files}).Load(&cfg); err != nil { // a service: configload.Load(&cfg)
		fmt.Println(err)
		return
	}
	p, err := factory.Build(context.Background(), cfg.Registry)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Close(p) //nolint:errcheck // an example
	fmt.Println(p.Repository("hello", provider.Client))
	// Output:
	// registry.example.com/rise-apps/hello <nil>
}
