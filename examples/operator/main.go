// Operator is what a platform operator runs by hand, on the configuration that the server reads.
//
//	go run ./examples/operator check-config
//	go run ./examples/operator credentials hello --access pull
//	go run ./examples/operator policies --controller-arn arn:aws:iam::123456789012:role/rise-backend
//	go run ./examples/operator repo ensure hello
//	go run ./examples/operator reconcile --projects projects.txt --dry-run
//	go run ./examples/operator diagnose hello
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/providers"
	"github.com/rise-deploy/rise-registry-go/provider"
)

type commands struct {
	CheckConfig checkConfig  `cmd:"" help:"Check the configuration and print it as it resolves, secrets redacted."`
	Credentials credentials  `cmd:"" help:"Issue a credential for a project and print the endpoint's answer. It holds the secret."`
	Policies    policies     `cmd:"" help:"Print the IAM policies that the configuration needs, as JSON."`
	Reconcile   reconcileCmd `cmd:"" help:"Bring the repositories in step with a list of projects."`
	Repo        repo         `cmd:"" help:"Make projects' repositories, and let go of them."`
	Diagnose    diagnose     `cmd:"" help:"Find out why credentials aren't issued or don't work. It changes nothing upstream."`
}

// environment is what a command works with.
type environment struct {
	context.Context //nolint:containedctx // a command's Run has one parameter of ours
	loader          configload.Loader
	stdout, stderr  io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, configload.Loader{}, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 0, 1 for what went wrong, 2 for what was called wrongly.
func run(ctx context.Context, loader configload.Loader, args []string, stdout, stderr io.Writer) (code int) {
	exited := false
	parser, err := kong.New(&commands{}, kong.Name("operator"), kong.UsageOnError(),
		kong.Description("Check and operate a registry configuration: RISE_CONFIG_DIR and RISE_CONFIG_RUN_MODE choose it, as for the server."),
		kong.Writers(stdout, stderr), kong.Exit(func(c int) { code, exited = c, true }))
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return 1
	}
	parsed, err := parser.Parse(args)
	if exited { // --help
		return code
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return 2
	}
	if err := parsed.Run(&environment{ctx, loader, stdout, stderr}); err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// load reads the configuration and builds its provider, which runs every check there is.
func (env *environment) load() (config.Config, provider.Provider, error) {
	factory, err := providers.Factory()
	if err != nil {
		return config.Config{}, nil, err
	}
	c, err := config.Load(env.loader, factory)
	if err != nil {
		return config.Config{}, nil, err
	}
	p, err := factory.Build(env, c.Registry)
	return c, p, err
}

type checkConfig struct{}

func (checkConfig) Run(env *environment) error {
	c, p, err := env.load()
	if err != nil {
		return err
	}
	text, err := configload.Marshal(c)
	if err == nil {
		_, err = env.stdout.Write(text)
	}
	return errors.Join(err, env.warn(c.Registry.Section()), provider.Close(p))
}

// warn says what of a section works, but isn't as it should be.
func (env *environment) warn(section any) error {
	s, ok := section.(interface{ Warnings() []error })
	if !ok {
		return nil
	}
	var errs []error
	for _, warning := range s.Warnings() {
		_, err := fmt.Fprintf(env.stderr, "warning: registry.%v\n", warning)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
