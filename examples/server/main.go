// Server is the reference credentials endpoint: configuration, provider, handler and what an HTTP server needs around them.
//
//	go run ./examples/server [-config DIR] [-log-level debug|info|warn|error] [-log-format text|json]
//	go run ./examples/server -version
//	go run ./examples/server completion bash|zsh|fish
//
// Without RISE_CONFIG_DIR and ./config it runs with a built-in configuration that needs nothing else; see the README.
//
// SIGINT and SIGTERM end it once requests in progress have their answers; SIGUSR1 has it forget all credentials that it keeps.
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
	os.Exit(app.Server(factory))
}
