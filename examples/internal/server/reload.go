package server

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// reloadTimeout is how long it may take to build what another configuration makes.
const reloadTimeout = time.Minute

// Reloads reports whether there are files to read again: a built-in configuration has none.
func (s *Server) Reloads() bool { return !s.serving.Load().Config.BuiltIn }

// reloadWhen reads the configuration again at each signal, until ctx ends.
func (s *Server) reloadWhen(ctx context.Context, asked <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
			s.reload(ctx)
		}
	}
}

// reload takes what is in the configuration's files now in place of what was: all of it, once all of it was found right, or nothing. Requests that began
// with what was end with it.
func (s *Server) reload(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	changed, kept, err := s.takeOver(ctx)
	s.metrics.Reloaded(err == nil)
	if err != nil {
		all := mistakes(err)
		for _, one := range all {
			s.logger.Error("a mistake in the configuration", slog.String("mistake", one.Error()))
		}
		s.logger.Error("the configuration was read again and isn't used: the one before still is, as a whole", slog.Int("mistakes", len(all)))
		return
	}
	credentials := "kept"
	if !kept {
		credentials = "issued anew, by a provider of the new registry section"
	}
	s.logger.Info("the configuration was read again, and is used from now on", slog.String("changed", strings.Join(changed, ", ")), slog.String("credentials", credentials))
}

// takeOver returns the keys that changed, and whether the provider is still the same.
func (s *Server) takeOver(ctx context.Context) (changed []string, kept bool, err error) {
	c, err := config.Load(s.loader, s.builder.Factory)
	if err != nil {
		return nil, false, err
	}
	before := s.serving.Load()
	if c.BuiltIn {
		return nil, false, errors.New("./config isn't there any more")
	}
	changed = config.Changed(before.Config, c)
	var errs []error
	for _, key := range before.Config.NeedRestart(c, changed) {
		errs = append(errs, provider.NewConfigError(key, "can't change while the server runs: restart it, or take the change back"))
	}
	next, err := s.builder.Build(ctx, c, before)
	if err = errors.Join(append(errs, err)...); err != nil {
		if next != nil {
			err = errors.Join(err, next.Close())
		}
		return nil, false, err
	}
	s.serving.Replace(next, next.Close)
	s.metrics.Provider(next.Provider)
	return changed, next.Provider == before.Provider, nil
}

// mistakes are the errors that were joined into one.
func mistakes(err error) (all []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, one := range joined.Unwrap() {
		all = append(all, mistakes(one)...)
	}
	return all
}
