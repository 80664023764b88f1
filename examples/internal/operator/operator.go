// Package operator is what a platform's operator runs by hand, as a program. Programs use it by package app.
package operator

import (
	"context"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/registry"
)

type commands struct {
	Section string `placeholder:"PATH" default:"${section}" help:"The key, or keys with dots between them, of the registry section in a service's own configuration, whose other sections are left alone. Default: the files are the server's."`

	CheckConfig checkConfig  `cmd:"" help:"Check the configuration and print it as it resolves, secrets redacted."`
	Schema      schemaCmd    `cmd:"" help:"Print a JSON Schema of the configuration, for editors."`
	Credentials credentials  `cmd:"" help:"Issue a credential for a project and print the endpoint's answer. It holds the secret."`
	Policies    policies     `cmd:"" help:"Print the IAM policies that the configuration needs, as JSON."`
	Reconcile   reconcileCmd `cmd:"" help:"Bring the repositories in step with a list of projects."`
	Repo        repo         `cmd:"" help:"Make projects' repositories, and let go of them."`
	TokenKeys   tokenKeysCmd `cmd:"" name:"token-keys" help:"Make and rotate the keys of type oci-token-issuer, and print what its registry needs."`
	Diagnose    diagnose     `cmd:"" help:"Find out why credentials aren't issued or don't work. It changes nothing upstream."`
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
	parser, err := kong.New(&c, kong.Name(process.Name), kong.UsageOnError(),
		kong.Description("Check and operate a registry configuration: RISE_CONFIG_DIR and RISE_CONFIG_RUN_MODE choose it, as for the server."),
		kong.Vars{"section": loader.Section},
		kong.Writers(process.Stdout, process.Stderr), kong.Exit(func(c int) { code, exited = c, true }))
	if err != nil {
		_, _ = fmt.Fprintln(process.Stderr, err)
		return 1
	}
	parsed, err := parser.Parse(process.Args)
	if exited { // --help
		return code
	}
	if err != nil {
		_, _ = fmt.Fprintln(process.Stderr, err)
		return 2
	}
	loader.Section = c.Section
	if err := parsed.Run(&environment{ctx, factory, loader, process.Stdout, process.Stderr}); err != nil {
		_, _ = fmt.Fprintln(process.Stderr, err)
		return 1
	}
	return 0
}
