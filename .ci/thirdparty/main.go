// Third-party is a program outside of this repository, which has only what a release gives it. Folders that begin with a dot are no
// packages of ours: .ci/try-release builds it.
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
	os.Exit(app.Server(factory))
}
