package tokenissuer

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/internal/sharedrepo"
	checks "github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/diagnosis"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/keys"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Provider implements [provider.Provider] for type "oci-token-issuer". Make it with [New] or [Builder]. It is safe for concurrent use, runs nothing by
// itself and needs no Close.
type Provider struct {
	config   Config
	settings settings
	keys     *keys.Source
	options  func() options // a closure, as printers walk fields, and would come to what all of the program shares
}

var _ interface {
	provider.Provider
	provider.Typed
	provider.CallerBound
	provider.RepositorySharer
} = (*Provider)(nil)

// Builder returns the builder of type "oci-token-issuer" for registry.NewFactory. Its section is a [Config].
func Builder(opts ...Option) provider.Builder {
	return provider.NewBuilder(Type, DefaultConfig, func(_ context.Context, c Config) (*Provider, error) {
		return New(c, opts...)
	})
}

// New makes a provider, and reads its keys. Errors are [provider.ErrMisconfigured].
func New(c Config, opts ...Option) (*Provider, error) {
	o := newOptions(opts)
	p := &Provider{config: c.withDefaults(), options: func() options { return o }}
	misconfigured := func(err error) error {
		return &provider.Error{Kind: provider.ErrMisconfigured, Op: "build " + Type + " provider", Err: err}
	}
	var err error
	if p.settings, err = c.resolve(); err != nil {
		return nil, misconfigured(err)
	}
	read, err := p.config.files(o.read)
	if err != nil {
		return nil, misconfigured(err)
	}
	if p.keys, err = keys.Open(read, p.settings.service, o.log); err != nil {
		return nil, misconfigured(configError(err))
	}
	return p, nil
}

// files is where the keys come from.
func (c Config) files(memory keys.Read) (keys.Read, error) {
	switch {
	case memory == nil && c.SigningKeyFile == "":
		return nil, provider.NewConfigError("signing_key_file", "is required, and signing_cert_file: the key that tokens are signed with and its certificate, in PEM")
	case memory == nil:
		return keys.Files(c.SigningKeyFile, c.SigningCertFile), nil
	case c.SigningKeyFile != "":
		return nil, provider.NewConfigError("signing_key_file", "must be empty: this program has its own keys")
	}
	return memory, nil
}

// configError says which key of the configuration a file is named by.
func configError(err error) error {
	var file *keys.FileError
	if !errors.As(err, &file) {
		return err
	}
	key := "signing_key_file"
	if file.Certificate {
		key = "signing_cert_file"
	}
	return provider.NewConfigError(key, "%s", file.Problem)
}

// Warnings returns what [Config.Validate] takes and an operator should know of all the same, as [*provider.ConfigError] values that hold no
// configured value. It reads the files of keys and certificates; that they are wrong, [New] says.
func (c Config) Warnings() []error {
	read, err := c.files(nil)
	if err != nil {
		return nil
	}
	key, certificate, err := read()
	if err != nil {
		return nil
	}
	now := time.Now()
	ring, err := keys.Parse(key, certificate, c.TokenService, now)
	if err != nil {
		return nil
	}
	var warnings []error
	for _, w := range ring.Warnings() {
		warnings = append(warnings, provider.NewConfigError("signing_cert_file", "the signing certificate %s: %s", w, checks.OwnAuthority))
	}
	if ring.EndsSoon(now) {
		warnings = append(warnings, provider.NewConfigError("signing_cert_file", "the signing certificate ends on %s: %s", ring.Ends().UTC().Format(time.DateOnly), checks.Renew))
	}
	return warnings
}

// Type returns "oci-token-issuer".
func (p *Provider) Type() string { return Type }

// CallerBound implements [provider.CallerBound]: each grant is made for one caller, costs next to nothing and isn't kept.
func (p *Provider) CallerBound() {}

// CreatesOnPush returns true: repositories appear when an image is pushed to them. It implements repository.PushCreator.
func (p *Provider) CreatesOnPush() bool { return true }

// SharesRepository reports whether repository is below the project's own, with SubRepositories, or one of SharedRepositories. It implements
// [provider.RepositorySharer].
func (p *Provider) SharesRepository(project, repository string) bool {
	owner, ok := p.settings.projectOf(repository)
	return ok && owner == project || sharedrepo.Has(p.settings.shared, repository)
}

// Repository returns <host>/<namespace>/<project>, with the host for consumer. Errors are [provider.ErrInvalidRequest].
func (p *Provider) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	return p.settings.names().Repository(project, consumer)
}

// Credentials returns a grant for r, as [provider.LoginCredentials] that work until session_duration is over, or the signing certificate ends, or the
// service says that they are no longer good. It does no I/O but to look, at times, whether the files of keys have changed.
//
// Errors are [provider.ErrInvalidRequest], [provider.ErrTimeout] if ctx has ended, and [provider.ErrMisconfigured] when the signing certificate has.
func (p *Provider) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	c, err := p.settings.names().Credentials(ctx, r)
	if err != nil {
		return provider.Credentials{}, err
	}
	text, g, err := p.settings.newGrant(p.keys.Ring(), r, time.Now())
	if err != nil {
		return provider.Credentials{}, &provider.Error{
			Kind: provider.ErrMisconfigured, Op: "make grant", Project: r.Project, Err: err,
			Hint: "make a new signing key, and put it where signing_key_file and signing_cert_file are",
		}
	}
	c.Method, c.Username, c.Password, c.ExpiresAt = provider.LoginCredentials, username, provider.NewSecret(text), g.ends
	c.Details = []slog.Attr{slog.String("grant", g.id)}
	return c, nil
}

// Keys is the state of a provider's keys, for metrics.
type Keys struct {
	// ID is the signing key's RFC 7638 thumbprint.
	ID string
	// Count is how many keys there are: those beside the signing one have their grants taken.
	Count int
	// CertificateEnds is when the signing certificate or the first of its authorities ends. No push and pull works after that.
	CertificateEnds time.Time
	// EndsSoon says that it is time for a new one: thirty days before, or a third of its life if that is less.
	EndsSoon bool
	// Problem is why the files' present content isn't in use; nil if it is.
	Problem error
}

// Keys returns the state of the keys, as of the last look at their files.
func (p *Provider) Keys() Keys {
	ring := p.keys.Ring()
	return Keys{ID: ring.ID(), Count: ring.Count(), CertificateEnds: ring.Ends(), EndsSoon: ring.EndsSoon(time.Now()), Problem: p.keys.Problem()}
}
