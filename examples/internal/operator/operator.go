// Package operator is what a platform's operator runs by hand, as a program. Programs use it by package app.
package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/buildinfo"
	"github.com/rise-deploy/rise-registry-go/examples/internal/completion"
	"github.com/rise-deploy/rise-registry-go/registry"
)

type commands struct {
	Config  string `placeholder:"DIR" predictor:"dir" help:"The directory of the configuration's files, in place of RISE_CONFIG_DIR."`
	Section string `placeholder:"PATH" default:"${section}" help:"The key, or keys with dots between them, of the registry section in a service's own configuration, whose other sections are left alone. Default: the files are the server's."`

	CheckConfig checkConfig  `cmd:"" help:"Check the configuration and print it as it resolves, secrets redacted."`
	Schema      schemaCmd    `cmd:"" help:"Print a JSON Schema of the configuration, for editors."`
	Credentials credentials  `cmd:"" help:"Issue a credential for a project and print the endpoint's answer. It holds the secret."`
	Policies    policies     `cmd:"" help:"Print the IAM policies that the configuration needs, as JSON."`
	Reconcile   reconcileCmd `cmd:"" help:"Bring the repositories in step with a list of projects."`
	Repo        repo         `cmd:"" help:"Make projects' repositories, and let go of them."`
	TokenKeys   tokenKeysCmd `cmd:"" name:"token-keys" help:"Make and rotate the keys of type oci-token-issuer, and print what its registry needs."`
	Diagnose    diagnose     `cmd:"" help:"Find out why credentials aren't issued or don't work. It changes nothing upstream."`
	Completion  shell        `cmd:"" help:"Print what has a shell complete the arguments: source <(${program} completion bash)."`

	Version kong.VersionFlag `help:"Print the version."`
}

// Process is what the program's process gives it.
type Process struct {
	Name           string   // of the program, in its usage
	Args           []string // without the name
	Stdout, Stderr io.Writer
}

// Run returns the exit code: 0, 1 for what went wrong, 2 for what was called wrongly. The loader's Section is the default of --section.
func Run(ctx context.Context, factory *registry.Factory, loader configload.Loader, process Process) (code int) {
	exited := false
	var c commands
	parser, err := kong.New(&c, kong.Name(process.Name), kong.ShortUsageOnError(),
		kong.Description("Check and operate a registry configuration: RISE_CONFIG_DIR and RISE_CONFIG_RUN_MODE choose it, as for the server."),
		kong.Vars{"section": loader.Section, "program": process.Name, "version": strings.TrimSuffix(buildinfo.Line(process.Name), "\n")},
		kong.Writers(process.Stdout, process.Stderr), kong.Exit(func(c int) { code, exited = c, true }))
	if err != nil {
		return fails(process, err)
	}
	if completion.Asked() {
		if err := complete(parser, process.Name, process.Stdout); err != nil {
			return fails(process, err)
		}
		return 0
	}
	if len(process.Args) == 0 {
		parser.Stdout = process.Stderr
		_, _ = parser.Parse([]string{"--help"}) // which goes on after it has printed the usage
		return 2
	}
	if process.Args[0] == "-version" { // as the server takes it
		process.Args = []string{"--version"}
	}
	parsed, err := parser.Parse(process.Args)
	if exited { // --help
		return code
	}
	if err != nil {
		parser.Stdout = process.Stderr
		parser.FatalIfErrorf(err) // prints the usage of what was called, and the error
		return 2
	}
	loader.Section = c.Section
	if c.Config != "" {
		loader.Dir, loader.FS = c.Config, nil
	}
	env := &environment{Context: ctx, factory: factory, loader: loader, name: process.Name, stdout: process.Stdout, stderr: process.Stderr}
	if err := env.useLocalAWS(); err != nil {
		return fails(process, err)
	}
	switch err := parsed.Run(env); {
	case errors.Is(err, errSaid):
		return 1
	case err != nil:
		return fails(process, err)
	}
	return 0
}

func fails(process Process, err error) (code int) {
	_, _ = fmt.Fprintln(process.Stderr, err)
	return 1
}
