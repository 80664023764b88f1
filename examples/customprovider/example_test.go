package customprovider_test

import (
	"context"
	"fmt"
	"testing/fstest"
	"time"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/customprovider"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// A third party's type is selected like ours, with a section of its own.
func Example() {
	files := fstest.MapFS{"development.yaml": &fstest.MapFile{Data: []byte(`
registry:
  type: signed-login
  host: registry.example.com
  key: 0123456789abcdef0123456789abcdef
  lifetime: 10m
`)}}
	factory, err := registry.NewFactory(oci.ClientAuthBuilder(), customprovider.Builder())
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := struct {
		Registry registry.Config `yaml:"registry"`
	}{factory.Config()}
	if err := (configload.Loader{FS: files}).Load(&cfg); err != nil {
		fmt.Println(err)
		return
	}
	p, err := factory.Build(context.Background(), cfg.Registry)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := provider.Issue(context.Background(), p, provider.Request{Project: "hello", Access: provider.Push})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Target, c.Password)

	key := provider.NewSecret("0123456789abcdef0123456789abcdef") // the gate's copy
	fmt.Println(customprovider.Check(key, c.Username, c.Password.Reveal(), time.Now()))
	_, _, ok := customprovider.Check(key, "other"+c.Username[len("hello"):], c.Password.Reveal(), time.Now())
	fmt.Println("as other:", ok)
	// Output:
	// registry.example.com/hello [redacted]
	// hello push true
	// as other: false
}
