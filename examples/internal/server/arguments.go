package server

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/posener/complete"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/audit"
	"github.com/rise-deploy/rise-registry-go/examples/internal/buildinfo"
	"github.com/rise-deploy/rise-registry-go/examples/internal/completion"
)

// arguments are what the server was called with.
type arguments struct {
	level  slog.Level
	format string
	config string
	done   bool // it was asked for something else than to serve, which it has done
}

const usage = `Usage of %[1]s:

  %[1]s [flags]                       serve
  %[1]s completion bash|zsh|fish      print what has a shell complete the flags

It serves what the configuration says: RISE_CONFIG_DIR and RISE_CONFIG_RUN_MODE choose it.

`

// parse reads the arguments, and does what isn't serving.
func parse(program string, args []string, stdout, stderr io.Writer) (a arguments, err error) {
	if completion.Asked() {
		completion.Answer(program, completable(), stdout)
		return arguments{done: true}, nil
	}
	version := false
	flags := flag.NewFlagSet(program, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { _, _ = fmt.Fprintf(stderr, usage, program); flags.PrintDefaults() }
	flags.TextVar(&a.level, "log-level", slog.LevelInfo, "log this and what is worse: `debug`, info, warn or error")
	flags.Func("log-format", "the log's lines: `text` (the default) or json", func(text string) error {
		if text != "text" && text != "json" {
			return errors.New("must be text or json")
		}
		a.format = text
		return nil
	})
	flags.StringVar(&a.config, "config", "", "the `directory` of the configuration's files, in place of RISE_CONFIG_DIR")
	flags.BoolVar(&version, "version", false, "print the version")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return arguments{done: true}, nil
	case err != nil:
		return arguments{}, err
	case version:
		_, err = io.WriteString(stdout, buildinfo.Line(program))
		return arguments{done: true}, err
	case flags.NArg() == 2 && flags.Arg(0) == "completion":
		return arguments{done: true}, script(program, flags.Arg(1), stdout)
	case flags.NArg() > 0:
		flags.Usage()
		return arguments{}, fmt.Errorf("%q is no argument of %s", flags.Arg(0), program)
	}
	return a, nil
}

func script(program, shell string, w io.Writer) error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := completion.Script(shell, program, path)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	return err
}

// completable is what a shell is told of the arguments.
func completable() complete.Command {
	levels, formats := complete.PredictSet("debug", "info", "warn", "error"), complete.PredictSet("text", "json")
	return complete.Command{
		Sub: complete.Commands{"completion": {Args: complete.PredictSet(completion.Shells...)}},
		Flags: complete.Flags{
			"-log-level": levels, "-log-format": formats, "-config": complete.PredictDirs("*"), "-version": complete.PredictNothing, "-help": complete.PredictNothing,
			"--log-level": levels, "--log-format": formats, "--config": complete.PredictDirs("*"), "--version": complete.PredictNothing, "--help": complete.PredictNothing,
		},
	}
}

// lines is how the log's records are written.
func (a arguments) lines() audit.Format {
	if a.format == "json" {
		return audit.JSON
	}
	return audit.Text
}

// from is where the configuration is read from.
func (a arguments) from(loader configload.Loader) configload.Loader {
	if a.config != "" {
		loader.Dir, loader.FS = a.config, nil
	}
	return loader
}
