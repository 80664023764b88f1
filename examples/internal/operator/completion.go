package operator

import (
	"io"
	"os"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
	posener "github.com/posener/complete"

	"github.com/rise-deploy/rise-registry-go/examples/internal/completion"
)

// shell prints what has a shell ask this program.
type shell struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (c shell) Run(env *environment) error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := completion.Script(c.Shell, env.name, path)
	if err == nil {
		_, err = io.WriteString(env.stdout, text)
	}
	return err
}

// complete answers a shell that runs this program.
func complete(parser *kong.Kong, program string, w io.Writer) error {
	command, err := kongcompletion.Command(parser, kongcompletion.WithPredictors(map[string]posener.Predictor{
		"dir": posener.PredictDirs("*"), "file": posener.PredictFiles("*"),
	}))
	if err == nil {
		completion.Answer(program, command, w)
	}
	return err
}
