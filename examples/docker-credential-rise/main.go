// Docker-credential-rise is docker's credential helper for a service with a credentials endpoint: docker, podman, skopeo, buildah, crane, oras and
// others ask it when they need a login for the registry, and it asks the endpoint. Nothing is kept on disk.
//
//	docker-credential-rise configure --url https://rise.example.com --registry registry.example.com --project hello --token-file ~/.config/rise/token
//	docker push registry.example.com/hello
//
// README.md beside this file is its manual.
package main

import (
	"context"
	"os"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper"
)

func main() {
	os.Exit(credentialhelper.Run(context.Background(), credentialhelper.Process{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv,
	}))
}
