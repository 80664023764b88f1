package oci

import (
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Option changes how [NewClientAuth] and [ClientAuthBuilder] make a provider. All are about diagnosis: nothing else of it does I/O.
type Option func(*options)

type options struct {
	keychain  authn.Keychain
	transport http.RoundTripper
}

// WithKeychain makes diagnosis look for logins in k. Default: authn.DefaultKeychain, which is docker's and podman's own.
func WithKeychain(k authn.Keychain) Option { return func(o *options) { o.keychain = k } }

// WithTransport makes diagnosis reach registries through t. Default: a copy of http.DefaultTransport.
func WithTransport(t http.RoundTripper) Option { return func(o *options) { o.transport = t } }

func newOptions(opts []Option) options {
	o := options{keychain: authn.DefaultKeychain, transport: http.DefaultTransport}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}
