// Package kubeletplugin is the kubelet's credential provider plugin, as the program kubelet-credential-rise: one request on standard input, one answer on
// standard output.
package kubeletplugin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
	"golang.org/x/term"
)

// maxRequest is far beyond a token and a service account's annotations.
const maxRequest = 1 << 20

// Process is what the program's process gives it.
type Process struct {
	Args           []string // without the name
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	LookupEnv      func(string) (string, bool)
}

type commands struct {
	Version kong.VersionFlag `help:"Print the version."`
	Options options          `embed:"" group:"What a kubelet's configuration says, by args or env"`

	Answer  struct{}       `cmd:"" default:"1" help:"Answer the kubelet's request on standard input. It is what happens without a command."`
	Install installCommand `cmd:"" help:"Copy this program and its configuration to where the kubelet looks for them."`
}

const (
	description = `Image pull credentials for kubelets: the plugin of a CredentialProviderConfig. It reads a CredentialProviderRequest from standard input, shows the pod's service account token to the service, and writes a CredentialProviderResponse with the pull credential for that one image's repository to standard output. An image that is no project's gets an empty answer. What goes wrong is one line on standard error.`

	examples = `
Examples:
  As the kubelet runs it, by hand, for a pod of service account web in namespace shop:
    kubectl create token web -n shop --audience https://deploy.example.com |
      sed 's|.*|{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"registry.example.com/rise-apps/hello","serviceAccountToken":"&"}|' |
      kubelet-credential-rise --url https://deploy.example.com --registry registry.example.com --namespace rise-apps

  From a container that has the node's folders mounted:
    kubelet-credential-rise install --bin-dir /host/bin --config /config/credential-provider-config.yaml --config-to /host/etc/credential-provider-config.yaml

Exit codes: 0 answered, 1 there is no answer, 2 called or configured wrongly.
`
)

// Run returns the exit code: 0, 1 for what went wrong, 2 for what was called or configured wrongly.
func Run(ctx context.Context, process Process) (code int) {
	failed := func(code int, err error) int {
		_, _ = fmt.Fprintf(process.Stderr, "%s: %v\n", Name, err)
		return code
	}
	exited := false
	var c commands
	parser, err := kong.New(&c, kong.Name(Name), kong.Description(description), kong.Vars{"version": Name + " " + version()},
		kong.Writers(process.Stdout, process.Stderr), kong.Exit(func(c int) { code, exited = c, true }),
		kong.Resolvers(environment(process.LookupEnv)), kong.Help(help))
	if err != nil {
		return failed(1, err)
	}
	parsed, err := parser.Parse(process.Args)
	if exited { // --help, --version
		return code
	}
	if err != nil {
		return failed(2, err)
	}
	if parsed.Command() == "install" {
		if err := c.Install.run(process.Stdout); err != nil {
			return failed(1, err)
		}
		return 0
	}
	s, err := c.Options.settings()
	if err != nil {
		return failed(2, err)
	}
	if err := s.serve(ctx, process); err != nil {
		return failed(1, err)
	}
	return 0
}

// environment takes what no flag says from the variables.
func environment(lookup func(string) (string, bool)) kong.Resolver {
	names := variables()
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if value, ok := lookup(names[flag.Name]); ok && value != "" {
			return value, nil
		}
		return nil, nil //nolint:nilnil // kong's word for nothing
	})
}

func help(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	_, err := io.WriteString(ctx.Stdout, examples)
	return err
}

// serve answers one request. Nothing is written before the answer is whole.
func (s settings) serve(ctx context.Context, process Process) error {
	if f, ok := process.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return fmt.Errorf("a kubelet writes a %s to standard input, which is a terminal here; see --help for one by hand", requestKind)
	}
	text, err := io.ReadAll(io.LimitReader(process.Stdin, maxRequest+1))
	switch {
	case err != nil:
		return fmt.Errorf("standard input can't be read: %w", err)
	case len(text) > maxRequest:
		return fmt.Errorf("the request on standard input is larger than %d bytes", maxRequest)
	}
	request, err := readRequest(text)
	if err != nil {
		return err
	}
	response, err := answer(ctx, s.images, s.with, request)
	if err != nil {
		return err
	}
	made, err := json.Marshal(response)
	if err != nil {
		return err
	}
	_, err = process.Stdout.Write(append(made, '\n'))
	return err
}
