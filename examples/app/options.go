package app

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/service"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// An Option says what a program has of its own.
type Option func(*settings)

type settings struct {
	ctx            context.Context //nolint:containedctx // of the whole program
	name           string
	args           []string
	stdout, stderr io.Writer
	loader         configload.Loader
	server         service.Own
}

// settingsOf are those of this process, where options don't say otherwise.
func settingsOf(opts []Option) settings {
	s := settings{
		ctx: context.Background(), name: strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"), args: os.Args[1:], stdout: os.Stdout, stderr: os.Stderr,
	}
	for _, opt := range opts {
		opt(&s)
	}
	return s
}

// WithContext ends the program with ctx, as SIGINT does.
func WithContext(ctx context.Context) Option { return func(s *settings) { s.ctx = ctx } }

// WithName sets the name that the usage shows, such as "acme registry" for a program of several commands. It is the executable's by default.
func WithName(name string) Option { return func(s *settings) { s.name = name } }

// WithArgs sets the arguments, without the name. They are the process's by default.
func WithArgs(args ...string) Option { return func(s *settings) { s.args = args } }

// WithOutput sets where is written what is asked for, and what is said beside it: the process's own outputs by default.
func WithOutput(stdout, stderr io.Writer) Option {
	return func(s *settings) { s.stdout, s.stderr = stdout, stderr }
}

// WithLoader sets where the configuration is. By default it is where [configload.Load] looks and, when neither RISE_CONFIG_DIR is set nor
// ./config exists, a built-in one; a loader with a Dir or an FS has no built-in one.
//
// The loader's Section is the default of the operator's --section. The server reads its whole configuration from there.
func WithLoader(loader configload.Loader) Option { return func(s *settings) { s.loader = loader } }

// WithCallers has [Server] serve callers that the program knows, by functions as endpoint.New takes them, in place of those of the
// configuration's auth.tokens, which then has to be empty.
func WithCallers[C endpoint.Caller](authenticate endpoint.Authenticate[C], authorize endpoint.Authorize[C]) Option {
	return func(s *settings) { s.server.Callers = service.Callers(authenticate, authorize) }
}

// WithLogins has [Server]'s token server, which type oci-token-issuer has, take callers' bearer tokens as passwords, by functions as [WithCallers] has
// them: authenticate says no to a token that isn't meant to be kept by docker. By default it takes its own credentials alone, or those of the
// configuration's auth.tokens that have login: true.
func WithLogins[C endpoint.Caller](authenticate endpoint.Authenticate[C], authorize endpoint.Authorize[C]) Option {
	return func(s *settings) { s.server.Logins = service.Logins(authenticate, authorize) }
}

// WithStillGood has [Server]'s token server, which type oci-token-issuer has, ask whether a credential that it handed out is still good, beside what it
// knows itself: auth.suspended_file, and ids of projects if it has [WithProjectIDs].
func WithStillGood(good tokenissuer.StillGood) Option {
	return func(s *settings) { s.server.StillGood = good }
}

// WithProjectIDs has [Server] ask for credentials by projects' ids too, which a configuration with project_ids needs: see
// [endpoint.WithProjectIDs].
func WithProjectIDs(identify func(ctx context.Context, project string) (id string, err error)) Option {
	return func(s *settings) { s.server.Identify = identify }
}
