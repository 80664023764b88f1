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
//	go run ./examples/operator completion bash
//
// With --config DIR it reads the files of that folder, and with --section registry that section of a service's own configuration. Where a server runs in mode
// ecr-local, the line that it prints makes all of these work on its account.
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
