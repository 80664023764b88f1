package server

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/audit"
	"github.com/rise-deploy/rise-registry-go/examples/internal/service"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// Process is what the server's process gives it.
type Process struct {
	Name           string   // of the program, in its usage
	Args           []string // without the name
	Stdout, Stderr io.Writer
	// Stop are the signals that end it; the second one at once. Nil: ctx alone does.
	Stop <-chan os.Signal
	// Installed says whether there is a program of that name; nil looks.
	Installed func(program string) bool
}

// Run runs the server as a program: until ctx ends, a signal, or it fails.
func Run(ctx context.Context, factory *registry.Factory, loader configload.Loader, own service.Own, process Process) error {
	o, err := parse(process.Name, process.Args, process.Stdout, process.Stderr)
	if err != nil || o.done {
		return err
	}
	loader = o.from(loader)
	forget := make(chan os.Signal, 1)
	notifyForget(forget) // before anything else: without it the signal ends the process
	defer signal.Stop(forget)
	reload := make(chan os.Signal, 1)
	notifyReload(reload)
	defer signal.Stop(reload)
	audit.OutlivePipes()
	stream := audit.NewStream(process.Stderr, o.level, o.lines())
	defer stream.Close() //nolint:errcheck // nobody is left to tell
	s, err := New(ctx, factory, loader, own, stream)
	if err != nil {
		return err
	}
	if !s.Reloads() { // a terminal that closes ends what was tried in it
		signal.Stop(reload)
		select {
		case <-reload:
			return errors.Join(errors.New("ended by a signal"), s.Close())
		default:
		}
	}
	if process.Installed == nil {
		process.Installed = installed
	}
	var welcome strings.Builder
	s.Welcome(&welcome, process.Installed)
	_ = audit.Say(process.Stdout, welcome.String()) // who doesn't listen needs no welcome
	return s.Serve(ctx, process.Stop, forget, reload)
}

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}
