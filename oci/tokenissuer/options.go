package tokenissuer

import (
	"log/slog"
	"net/http"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/keys"
)

// Option changes how [New] and [Builder] make a provider.
type Option func(*options)

type options struct {
	log       *slog.Logger
	read      keys.Read
	transport http.RoundTripper // nil: http.DefaultTransport
}

// WithKeys takes the keys and certificates from memory instead of files: in PEM, as the files would have them. [Config].SigningKeyFile and
// SigningCertFile are left empty then.
func WithKeys(keyPEM, certPEM []byte) Option {
	return func(o *options) { o.read = func() ([]byte, []byte, error) { return keyPEM, certPEM, nil } }
}

// WithLogger logs what happens to the keys. Default: slog.Default.
func WithLogger(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// WithTransport makes diagnosis reach registries through t. Default: a copy of http.DefaultTransport. Nothing else of a provider does I/O but
// for reading its files.
func WithTransport(t http.RoundTripper) Option { return func(o *options) { o.transport = t } }

func newOptions(opts []Option) options {
	o := options{log: slog.Default()}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}
