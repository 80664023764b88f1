package configure

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/setup"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// UsageError is that the command was called wrongly, and how it would be right.
type UsageError string

func (e UsageError) Error() string { return string(e) }

// wishes is what the command line asks for.
type wishes struct {
	registry            string
	entry               setup.Entry // what was set of it
	set                 map[string]bool
	command             []string
	tokenStdin          bool
	podman, noDocker    bool
	force, undo, dryRun bool
	access              string
	help                bool
}

func parse(args []string) (w wishes, err error) {
	set := flag.NewFlagSet("configure", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&w.entry.URL, "url", "", "")
	set.StringVar(&w.registry, "registry", "", "")
	set.StringVar(&w.entry.Project, "project", "", "")
	set.StringVar(&w.access, "access", "", "")
	set.StringVar(&w.entry.CAFile, "ca-file", "", "")
	set.BoolVar(&w.entry.Insecure, "insecure", false, "")
	set.StringVar(&w.entry.TokenFile, "token-file", "", "")
	set.StringVar(&w.entry.TokenVariable, "token-variable", "", "")
	set.StringVar(&w.entry.GitHubAudience, "github-audience", "", "")
	set.BoolVar(&w.tokenStdin, "token-stdin", false, "")
	set.BoolVar(&w.podman, "podman", false, "")
	set.BoolVar(&w.noDocker, "no-docker", false, "")
	set.BoolVar(&w.force, "force", false, "")
	set.BoolVar(&w.undo, "undo", false, "")
	set.BoolVar(&w.dryRun, "dry-run", false, "")
	for i, arg := range args {
		if arg == "--" {
			w.command, args = args[i+1:], args[:i]
			break
		}
		if name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "="); strings.HasPrefix(arg, "-") && (name == "token" || name == "password") {
			return w, UsageError("a token on a command line can be read by everybody on the machine: take --token-file, or --token-stdin")
		}
	}
	if err := set.Parse(args); errors.Is(err, flag.ErrHelp) {
		w.help = true
		return w, nil
	} else if err != nil {
		return w, UsageError(oneDash.Replace(err.Error()))
	}
	if set.NArg() > 0 {
		return w, UsageError("an argument is left over; a command that prints the token stands behind --")
	}
	w.set = map[string]bool{}
	set.Visit(func(f *flag.Flag) { w.set[f.Name] = true })
	return w, w.check()
}

var oneDash = strings.NewReplacer(": -", ": --")

func (w *wishes) check() error {
	if w.registry == "" {
		return UsageError("--registry is missing: the registry's host as in images' names, such as registry.example.com")
	}
	if w.undo {
		for _, name := range []string{"url", "project", "access", "ca-file", "insecure", "token-file", "token-variable", "github-audience", "token-stdin", "podman", "no-docker"} {
			if w.set[name] {
				return UsageError("--undo needs --registry alone, not --" + name + ": what was configured is in the file")
			}
		}
		return nil
	}
	if w.access != "" && w.entry.Access.UnmarshalText([]byte(w.access)) != nil {
		return UsageError("--access must be push or pull")
	}
	tokens := 0
	for _, set := range []bool{w.entry.TokenFile != "", w.entry.TokenVariable != "", w.entry.GitHubAudience != "", w.tokenStdin, len(w.command) > 0} {
		if set {
			tokens++
		}
	}
	if tokens > 1 {
		return UsageError("there are several tokens: keep one of --token-file, --token-variable, --github-audience, --token-stdin and a command behind --")
	}
	if w.noDocker && !w.podman {
		return UsageError("--no-docker needs --podman, or nobody would ask the helper")
	}
	for _, path := range []*string{&w.entry.TokenFile, &w.entry.CAFile} {
		if *path != "" {
			absolute, err := filepath.Abs(*path)
			if err != nil {
				return err
			}
			*path = absolute
		}
	}
	w.entry.TokenCommand = w.command
	return nil
}

// token reads what --token-stdin announces.
func (w *wishes) token(stdin io.Reader) error {
	if !w.tokenStdin || w.undo {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(stdin, 64<<10))
	if err != nil {
		return err
	}
	token := provider.NewSecret(strings.TrimSpace(string(text)))
	if token.IsZero() {
		return UsageError("--token-stdin: there is no token on the standard input")
	}
	if err := token.Validate(); err != nil {
		return UsageError(fmt.Sprintf("--token-stdin: %v", err))
	}
	w.entry.Token = token
	return nil
}

// over is an entry that is there, with what the command line sets.
func (w *wishes) over(e setup.Entry) setup.Entry {
	n := w.entry
	if n.URL != "" {
		e.URL = n.URL
	}
	if n.Project != "" {
		e.Project = n.Project
	}
	if n.Access != 0 {
		e.Access = n.Access
	}
	if w.set["ca-file"] {
		e.CAFile = n.CAFile
	}
	if w.set["insecure"] {
		e.Insecure = n.Insecure
	}
	if !n.Token.IsZero() || n.TokenFile != "" || n.TokenVariable != "" || len(n.TokenCommand) > 0 || n.GitHubAudience != "" {
		e.Token, e.TokenFile, e.TokenVariable, e.TokenCommand, e.GitHubAudience = n.Token, n.TokenFile, n.TokenVariable, n.TokenCommand, n.GitHubAudience
	}
	return e
}
