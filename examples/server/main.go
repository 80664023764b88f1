// Server is the reference credentials endpoint: configuration, provider, handler and what an HTTP server needs around them.
//
//	go run ./examples/server [-log-level debug|info|warn|error]
//
// Without RISE_CONFIG_DIR and ./config it runs with a built-in configuration that needs nothing else; see the README.
//
// SIGINT and SIGTERM end it once requests in progress have their answers; SIGUSR1 has it forget all credentials that it keeps.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/rise-deploy/rise-registry-go/configload"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, configload.Loader{}, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, loader configload.Loader, args []string, stdout, stderr io.Writer) error {
	var level slog.Level
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.TextVar(&level, "log-level", slog.LevelInfo, "log this and what is worse: `debug`, info, warn or error")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	forget := make(chan os.Signal, 1)
	notifyForget(forget) // before anything else: without it the signal ends the process
	defer signal.Stop(forget)
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	s, err := newServer(ctx, loader, logger)
	if err != nil {
		return err
	}
	s.welcome(stdout)
	return s.serve(ctx, forget)
}
