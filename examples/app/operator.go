package app

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/rise-deploy/rise-registry-go/examples/internal/operator"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// Operator runs what a platform's operator does by hand, on the configuration that [Server] reads or, with --section, on one section of a
// service's own. It returns the program's exit code: 0, 1 for what went wrong, or 2 for what was called wrongly; it has printed what.
//
// SIGINT and SIGTERM end it, as far as what it does can be left off there.
func Operator(factory *registry.Factory, opts ...Option) (code int) {
	s := settingsOf(opts)
	ctx, stop := signal.NotifyContext(s.ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return operator.Run(ctx, factory, s.loader, operator.Process{Name: s.name, Args: s.args, Stdout: s.stdout, Stderr: s.stderr})
}
