// Pull-secrets keeps a pull secret in each namespace of a Kubernetes cluster that is mapped to a project; see the README.
//
//	go run . --help
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := program.Run(ctx, program.Process{Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv})
	stop()
	os.Exit(code)
}
