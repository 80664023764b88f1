package app

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/rise-deploy/rise-registry-go/examples/internal/audit"
	"github.com/rise-deploy/rise-registry-go/examples/internal/server"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// Server runs the credentials endpoint, on providers of the factory, and returns the program's exit code: 0, or 1 for what went wrong, which it
// has printed.
//
// WithName's name is what --version and completion show; a shell completes the arguments of a program of its own alone.
//
// SIGINT and SIGTERM end it once requests in progress have their answers; with SIGTERM, it goes on for as long as server.drain before. A second one ends it at
// once. SIGUSR1 has it forget all credentials that it keeps, and SIGHUP
// read its configuration again, unless that is a built-in one: all of it counts from then on, or, if something is wrong with it, nothing.
func Server(factory *registry.Factory, opts ...Option) (code int) {
	s := settingsOf(opts)
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(stop)
	process := server.Process{Name: s.name, Args: s.args, Stdout: s.stdout, Stderr: s.stderr, Stop: stop}
	if err := server.Run(s.ctx, factory, s.loader, s.server, process); err != nil {
		_ = audit.Say(s.stderr, err.Error()+"\n") // which nobody may read: that keeps nothing from ending
		return 1
	}
	return 0
}
