// Operator is what a platform operator runs by hand, on the configuration that the server reads.
//
//	go run ./examples/operator check-config
//	go run ./examples/operator schema
//	go run ./examples/operator credentials hello --access pull
//	go run ./examples/operator policies --controller-arn arn:aws:iam::123456789012:role/rise-backend
//	go run ./examples/operator repo ensure hello
//	go run ./examples/operator reconcile --projects projects.txt --dry-run
//	go run ./examples/operator diagnose hello
//	go run ./examples/operator token-keys --dir keys
//
// With --section registry it reads that section of a service's own configuration.
package main

import (
	"log"
	"os"

	"github.com/rise-deploy/rise-registry-go/examples/app"
	"github.com/rise-deploy/rise-registry-go/registry"
)

func main() {
	factory, err := registry.NewFactory(app.Builders()...)
	if err != nil {
		log.Fatal(err)
	}
	os.Exit(app.Operator(factory))
}
