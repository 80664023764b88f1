package app

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/rise-deploy/rise-registry-go/examples/internal/server"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// Server runs the credentials endpoint, on providers of the factory, and returns the program's exit code: 0, or 1 for what went wrong, which it
// has printed.
//
// WithName's name is what --version and completion show; a shell completes the arguments of a program of its own alone.
//
// SIGINT and SIGTERM end it once requests in progress have their answers. SIGUSR1 has it forget all credentials that it keeps.
func Server(factory *registry.Factory, opts ...Option) (code int) {
	s := settingsOf(opts)
	ctx, stop := signal.NotifyContext(s.ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	process := server.Process{Name: s.name, Args: s.args, Stdout: s.stdout, Stderr: s.stderr}
	if err := server.Run(ctx, factory, s.loader, s.server, process); err != nil {
		_, _ = fmt.Fprintln(s.stderr, err)
		return 1
	}
	return 0
}
