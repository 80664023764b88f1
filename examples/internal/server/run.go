package server

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// Process is what the server's process gives it.
type Process struct {
	Name           string   // of the program, in its usage
	Args           []string // without the name
	Stdout, Stderr io.Writer
	// Installed says whether there is a program of that name; nil looks.
	Installed func(program string) bool
}

// Run runs the server as a program: until ctx ends or it fails.
func Run(ctx context.Context, factory *registry.Factory, loader configload.Loader, own Own, process Process) error {
	o, err := parse(process.Name, process.Args, process.Stdout, process.Stderr)
	if err != nil || o.done {
		return err
	}
	loader = o.from(loader)
	forget := make(chan os.Signal, 1)
	notifyForget(forget) // before anything else: without it the signal ends the process
	defer signal.Stop(forget)
	logger := slog.New(o.handler(process.Stderr))
	s, err := New(ctx, factory, loader, own, logger)
	if err != nil {
		return err
	}
	if process.Installed == nil {
		process.Installed = installed
	}
	s.Welcome(process.Stdout, process.Installed)
	return s.Serve(ctx, forget)
}

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}
