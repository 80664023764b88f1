// Package credentialhelper is the program docker-credential-rise: docker's credential helper protocol, and the command that configures it.
package credentialhelper

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/configure"
)

// The exit codes. To clients all but 0 are one.
const (
	exitOK     = 0
	exitFailed = 1 // no credential, or no change, and why is said
	exitUsage  = 2 // called wrongly
)

// Run returns the exit code: 0, 1 for what went wrong or wasn't found, 2 for what was called wrongly.
func Run(ctx context.Context, p Process) (code int) {
	if p.Patience == 0 {
		p.Patience = DefaultPatience
	}
	if len(p.Args) == 0 {
		_, _ = fmt.Fprint(p.Stderr, usage)
		return exitUsage
	}
	switch command := p.Args[0]; command {
	case "configure":
		err := configure.Run(configure.Process{Args: p.Args[1:], Stdin: p.Stdin, Stdout: p.Stdout, LookupEnv: p.LookupEnv})
		if wrongly := (configure.UsageError)(""); errors.As(err, &wrongly) {
			_, _ = fmt.Fprintf(p.Stderr, "%s configure: %v\n%s configure --help has examples.\n", Name, err, Name)
			return exitUsage
		}
		if err != nil {
			_, _ = fmt.Fprintf(p.Stderr, "%s configure: %v\n", Name, err)
			return exitFailed
		}
		return exitOK
	case "help", "--help", "-h", "-help":
		_, _ = fmt.Fprint(p.Stdout, usage)
		return exitOK
	case "version", "--version", "-v", "-version":
		_, _ = fmt.Fprintf(p.Stdout, "%s %s\n", Name, version())
		return exitOK
	case credentials.ActionGet, credentials.ActionStore, credentials.ActionErase, credentials.ActionList:
		if len(p.Args) > 1 {
			break
		}
		return p.serve(ctx, command)
	}
	_, _ = fmt.Fprintf(p.Stderr, "%s: there is no such command; %[1]s --help lists them.\n", Name)
	return exitUsage
}

// serve does a command of docker's protocol. What fails is said on stdout, for clients, which quote it or swallow it, and on stderr, which
// most of them let through.
func (p Process) serve(ctx context.Context, command credentials.Action) int {
	h := &helper{Process: p, ctx: ctx}
	err := credentials.HandleCommand(h, command, p.Stdin, p.Stdout)
	if err == nil {
		return exitOK
	}
	if !credentials.IsErrCredentialsNotFound(err) {
		h.say(Name + ": " + atLength(err))
		err = errors.New(Name + ": " + inShort(err))
	}
	_, _ = fmt.Fprintln(p.Stdout, err)
	return exitFailed
}
