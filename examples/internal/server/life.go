package server

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rise-deploy/rise-registry-go/examples/internal/outset"
)

// endTimeout is how long requests in progress have at the end. Together with server.drain it has to fit into what an orchestrator allows, by default 30 seconds.
const endTimeout = 20 * time.Second

// errSecondSignal is what a second signal leaves.
var errSecondSignal = errors.New("ended by a second signal, before requests in progress had their answers")

// Serve serves until ctx ends, a signal of stop, or something fails; then lets requests in progress finish. Before that, SIGTERM has it go on for server.drain,
// so that those who send it requests learn that they shouldn't. A second signal ends all at once. Each signal of forget has it forget all credentials, and each of reload
// read its configuration again.
func (s *Server) Serve(ctx context.Context, stop, forget, reload <-chan os.Signal) error {
	group, running := errgroup.WithContext(ctx)
	for _, p := range s.parts {
		s.logger.Info("listening", "what", p.name, "address", p.listener.Addr().String(), "tls", p.http.TLSConfig != nil)
		group.Go(p.serve)
	}
	looking, seen := context.WithCancel(running)
	group.Go(func() error { s.look(looking); return nil }) // which delays nothing
	ended := make(chan struct{})
	group.Go(func() error {
		for {
			select {
			case <-ended:
				return nil
			case <-forget:
				s.forget()
			}
		}
	})
	reloading, endReloads := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		s.reloadWhen(reloading, reload)
		return nil
	})
	group.Go(func() error {
		defer close(ended)
		defer endReloads()
		defer seen()
		if !s.drain(running, stop) {
			return errors.Join(errSecondSignal, s.abort())
		}
		return s.end(context.WithoutCancel(ctx), stop)
	})
	return errors.Join(group.Wait(), s.release())
}

// look says what would fail the first request.
func (s *Server) look(ctx context.Context) {
	held := s.serving.Hold()
	defer held.Release()
	outset.Look(ctx, held.Value.Provider, held.Value.Config.Server.EnsureRepositories, s.logger)
}

// drain returns when it is time to end, and false if that is at once.
func (s *Server) drain(running context.Context, stop <-chan os.Signal) bool {
	var drain time.Duration
	select {
	case <-running.Done():
	case signal := <-stop:
		if signal != os.Interrupt { // somebody at a terminal
			drain = s.serving.Load().Config.Server.DrainTime()
		}
	}
	s.health.stopping.Store(true)
	s.logger.Info("stopping", "drain", drain)
	if drain == 0 {
		return true
	}
	late := time.NewTimer(drain)
	defer late.Stop()
	select {
	case <-late.C:
		return true
	case <-running.Done():
		return true
	case <-stop:
		return false
	}
}

// end waits for requests in progress, for as long as endTimeout.
func (s *Server) end(ctx context.Context, stop <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		var errs []error
		for i := len(s.parts) - 1; i >= 0; i-- { // the endpoint first: it names the registry
			errs = append(errs, s.parts[i].http.Shutdown(ctx))
		}
		done <- errors.Join(errs...)
	}()
	select {
	case err := <-done:
		if err != nil {
			err = errors.Join(err, s.abort())
		}
		return err
	case <-stop:
		return errors.Join(errSecondSignal, s.abort())
	}
}

// abort ends all connections.
func (s *Server) abort() error {
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, p.http.Close())
	}
	return errors.Join(errs...)
}
