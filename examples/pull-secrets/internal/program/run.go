package program

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/cluster"
	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/election"
	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/keeper"
	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/mapping"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// Process is what the program's process gives it.
type Process struct {
	Args           []string // without the name
	Stdout, Stderr io.Writer
	LookupEnv      func(string) (string, bool)
}

const (
	ended    = 0
	broken   = 1
	unusable = 2
)

// Run does what the command line says until ctx ends, and returns the exit code: 0, 1 for what failed, 2 for what was called wrongly.
func Run(ctx context.Context, p Process) int {
	var f flags
	s := f.set(p.LookupEnv)
	complain := func(err error) int {
		_, _ = fmt.Fprintf(p.Stderr, "%s: %v\n\nSee %s --help.\n", Name, err, Name)
		return unusable
	}
	switch err := s.Parse(p.Args); {
	case errors.Is(err, flag.ErrHelp):
		help(p.Stdout, s)
		return ended
	case err != nil:
		return complain(err)
	case f.version:
		_, _ = fmt.Fprintln(p.Stdout, Name, version())
		return ended
	case s.NArg() > 0:
		return complain(fmt.Errorf("%q is no flag, and there are no other arguments", s.Arg(0)))
	}
	if err := f.check(); err != nil {
		return complain(err)
	}
	log := logger(p.Stderr, f)
	klog.SetSlogLogger(log)
	w, err := prepare(f, log)
	if err != nil {
		return complain(err)
	}
	if err := w.run(ctx); err != nil {
		log.Error("ended", "error", err)
		return broken
	}
	return ended
}

func logger(to io.Writer, f flags) *slog.Logger {
	options := &slog.HandlerOptions{Level: f.logLevel}
	if f.logFormat == "text" {
		return slog.New(slog.NewTextHandler(to, options))
	}
	return slog.New(slog.NewJSONHandler(to, options))
}

// works is all parts of the program.
type works struct {
	flags     flags
	log       *slog.Logger
	cluster   *cluster.Cluster
	source    *client.Client
	mapping   keeper.Mapping
	condition *condition
}

func prepare(f flags, log *slog.Logger) (*works, error) {
	w := &works{flags: f, log: log, mapping: mapping.Label{Excluded: f.excluded}, condition: &condition{}}
	agent := Name + "/" + version()
	options := []client.Option{client.WithConsumer(provider.Cluster), client.WithUserAgent(agent), client.WithTimeout(f.timeout), client.WithPatience(f.timeout)}
	if f.caFile != "" {
		options = append(options, client.WithCAFile(f.caFile))
	}
	if f.registry != "" {
		options = append(options, client.WithRegistry(f.registry))
	}
	if f.insecure {
		options = append(options, client.WithInsecure())
	}
	var err error
	if w.source, err = client.New(f.endpoint, client.File(f.tokenFile), options...); err != nil {
		return nil, err
	}
	if f.mappingFile != "" {
		if w.condition.file, err = mapping.Open(f.mappingFile, f.excluded, log); err != nil {
			return nil, fmt.Errorf("--mapping-file: %w", err)
		}
		w.mapping = w.condition.file
	}
	config, err := cluster.Configuration(f.kubeconfig, agent)
	if err != nil {
		return nil, err
	}
	if w.cluster, err = cluster.Connect(config, f.secretName, keeper.Selector(f.installation)); err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	w.condition.election = &election.Election{
		Lock: w.cluster.Lease(f.namespace, f.lease), Identity: host + "_" + rand.Text()[:10], Duration: f.leaseDuration, Log: log,
	}
	return w, nil
}

func (w *works) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", w.flags.listen)
	if err != nil {
		return err
	}
	r := registry(w.condition)
	metrics := keeper.NewMetrics(r)
	w.log.Info("started", "version", version(), "listen", listener.Addr().String(), "installation", w.flags.installation)
	var running sync.WaitGroup
	var failed error
	running.Go(func() {
		failed = serve(ctx, listener, w.condition, r)
		cancel()
	})
	if file := w.condition.file; file != nil {
		running.Go(func() {
			file.Watch(ctx, func(namespaces []string) {
				if k := w.condition.keeper.Load(); k != nil {
					k.Changed(namespaces)
				}
			})
		})
	}
	events := w.cluster.Events(Name, w.condition.election.Identity, w.log)
	running.Go(func() { events.Run(ctx) })
	w.condition.election.Run(ctx, func(ctx context.Context, term *election.Term) {
		k := keeper.New(keeper.Config{
			API: w.cluster, Source: w.source, Mapping: w.mapping, Events: events, Metrics: metrics, Log: w.log,
			Secret: w.flags.secretName, Installation: w.flags.installation, Workers: w.flags.concurrency, Patience: w.flags.timeout + 5*time.Second,
		})
		w.condition.keeper.Store(k)
		defer w.condition.keeper.Store(nil)
		if err := k.Run(ctx, term.Check); err != nil && ctx.Err() == nil {
			w.log.Error("this replica can't work", "error", err)
		}
	})
	running.Wait()
	return failed
}
