// Command customprovider-operator is the reference operator with one more provider type.
package main

import (
	"log"
	"os"

	"github.com/rise-deploy/rise-registry-go/examples/app"
	"github.com/rise-deploy/rise-registry-go/examples/customprovider"
	"github.com/rise-deploy/rise-registry-go/registry"
)

func main() {
	factory, err := registry.NewFactory(append(app.Builders(), customprovider.Builder())...)
	if err != nil {
		log.Fatal(err)
	}
	os.Exit(app.Operator(factory))
}
