package tokenauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/login"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/tokenserver"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Provider implements [provider.Provider] for type "oci-token-auth". Make it with [New] or [Builder]. It is safe for concurrent use. Close lets go of its connections.
type Provider struct {
	config Config
	state  func() *state // a closure, as printers walk fields, and would come to what all of the program shares
}

// state is what a provider works with.
type state struct {
	settings
	transport http.RoundTripper // as it was given
	sender    tokenserver.Sender
	client    *tokenserver.Client
	own       login.Login
	pull      *pullLogin // nil: none is configured
}

var _ interface {
	provider.Provider
	provider.Typed
} = (*Provider)(nil)

// Builder returns the builder of type "oci-token-auth" for registry.NewFactory. Its section is a [Config].
func Builder(opts ...Option) provider.Builder {
	return provider.NewBuilder(Type, nil, func(ctx context.Context, c Config) (*Provider, error) { return New(c, opts...) })
}

// New makes a provider. It reads the password files once, to say at once what is wrong with them, and does no other I/O. Errors are [provider.ErrMisconfigured].
func New(c Config, opts ...Option) (*Provider, error) {
	misconfigured := func(err error) error {
		return &provider.Error{Kind: provider.ErrMisconfigured, Op: "build " + Type + " provider", Err: err}
	}
	resolved, err := c.resolve()
	if err != nil {
		return nil, misconfigured(err)
	}
	s := &state{settings: resolved, transport: newOptions(opts).transport}
	s.sender = tokenserver.NewSender(s.transport)
	s.client = tokenserver.New(s.place, s.sender)
	own := login.Password{Username: c.Username, Password: c.Password, File: c.PasswordFile, UserKey: "username", FileKey: "password_file"}
	s.own = own
	if s.entra != nil {
		s.own = login.NewAzure(*s.entra, c.Azure.TokenFile, s.sender, s.client)
	} else if err := own.Check(); err != nil {
		return nil, misconfigured(err)
	}
	if c.PullUsername != "" {
		pull := login.Password{
			Username: c.PullUsername, Password: c.PullPassword, File: c.PullPasswordFile, UserKey: "pull_username", FileKey: "pull_password_file",
		}
		if err := pull.Check(); err != nil {
			return nil, misconfigured(err)
		}
		s.pull = newPullLogin(pull, s.prefix+probeProject, s.client)
	}
	return &Provider{config: c, state: func() *state { return s }}, nil
}

// probeProject is the project that nobody has to have, of which a login that can only pull is proven to be one.
const probeProject = "rise-probe"

// Type returns "oci-token-auth".
func (p *Provider) Type() string { return Type }

// CreatesOnPush returns true: most registries make a repository when an image is pushed to it. Where a registry doesn't, its operator makes them. It implements
// repository.PushCreator.
func (p *Provider) CreatesOnPush() bool { return true }

// Close lets go of connections that are kept. A provider can be used after that.
func (p *Provider) Close() error {
	p.state().sender.CloseIdle()
	return nil
}

// Repository returns <host>/<namespace>/<project>, with the host for consumer. Errors are [provider.ErrInvalidRequest].
func (p *Provider) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	return p.state().names.Repository(project, consumer)
}

// Credentials returns a token for r, as [provider.RegistryToken]: one round trip, once it is known where the token server is. Its ExpiresAt is the earliest end that
// anything in the answer tells, by the server's clock. For all projects it is the login of PullUsername, as [provider.LoginCredentials] without an end.
//
// Errors: [provider.ErrAccessDenied] where the login isn't taken, or the token can do less than r; [provider.ErrMisconfigured] where it can do more, the registry sends
// its clients elsewhere than configured, or PullUsername can push; [provider.ErrUnsupported] where the token doesn't say what it can do, and for one project of a
// cluster, which can't use a token; and [provider.ErrInvalidRequest], [provider.ErrThrottled], [provider.ErrUnavailable], [provider.ErrTimeout] and [provider.ErrBadResponse].
func (p *Provider) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	s := p.state()
	c, err := s.names.Credentials(ctx, r)
	if err != nil {
		return provider.Credentials{}, err
	}
	switch {
	case r.AllProjects:
		err = s.forAll(ctx, &c)
	case r.Consumer == provider.Cluster:
		err = &provider.Error{
			Kind: provider.ErrUnsupported, Op: "issue credential", Err: errors.New("the registry's token server gives bearer tokens, which clusters can't use: kubelets and containerd take a user name and a password only"),
			Hint: "ask for all projects, with pull_username set; or use type oci-token-issuer, whose credentials every client takes",
		}
	default:
		err = s.forOne(ctx, r, &c)
	}
	if err != nil {
		return provider.Credentials{}, about(r.Project, err)
	}
	return c, nil
}

// about names the project in an error.
func about(project string, err error) error {
	if e, ok := err.(*provider.Error); ok { //nolint:errorlint // only the outermost is ours to change
		named := *e
		named.Project = project
		return &named
	}
	return err
}

// forOne gets a token that is good for r and nothing else.
func (s *state) forOne(ctx context.Context, r provider.Request, c *provider.Credentials) error {
	token, q, err := s.ask(ctx, s.loginFor(r.Access), s.prefix+r.Project, r.Access)
	if err == nil {
		err = token.Exactly(q)
	}
	if err != nil {
		return err
	}
	c.Method, c.Password, c.ExpiresAt = provider.RegistryToken, token.Text, token.Ends
	if id := token.Claims.ID; id != "" && (q.Proof.Password.IsZero() || !strings.Contains(id, q.Proof.Password.Reveal())) { // it is logged
		c.Details = []slog.Attr{slog.String("token_id", id)}
	}
	return nil
}

// forAll hands out the pull login, once it is proven that it can only pull.
func (s *state) forAll(ctx context.Context, c *provider.Credentials) error {
	if s.pull == nil {
		return &provider.Error{
			Kind: provider.ErrUnsupported, Op: "issue credential", Err: errors.New("there is no login that pulls from all projects"),
			Hint: "set pull_username to an account that can only pull, from the repositories below namespace",
		}
	}
	proof, err := s.pull.onlyPulls(ctx)
	if err != nil {
		return err
	}
	c.Method, c.Username, c.Password = provider.LoginCredentials, proof.Username, proof.Password
	return nil
}

// loginFor is who asks for tokens of that access.
func (s *state) loginFor(access provider.Access) login.Login {
	if access == provider.Pull && s.pull != nil {
		return s.pull.login
	}
	return s.own
}

// ask asks for a token. What it can do isn't compared yet. The question is the zero one if none was asked.
func (s *state) ask(ctx context.Context, account login.Login, repository string, access provider.Access) (tokenserver.Token, tokenserver.Question, error) {
	proof, err := account.Prove(ctx)
	if err != nil {
		return tokenserver.Token{}, tokenserver.Question{Key: account.Key()}, err
	}
	q := tokenserver.Question{Proof: proof, Key: account.Key(), Repository: repository, Actions: actions(access)}
	token, err := s.client.Ask(ctx, q)
	if tokenserver.IsLogin(err) {
		account.Refused(proof)
	}
	return token, q, err
}

// actions are what an access is in scopes and tokens.
func actions(access provider.Access) []string {
	if access == provider.Push {
		return []string{"pull", "push"}
	}
	return []string{"pull"}
}
