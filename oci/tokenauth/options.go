package tokenauth

import "net/http"

// Option changes how [New] and [Builder] make a provider.
type Option func(*options)

type options struct{ transport http.RoundTripper }

// WithTransport reaches the registry, its token server and Entra through t. Default: http.DefaultTransport. Of a [*http.Transport] a copy is used, which reads no more than
// 64 KiB of headers and no compressed answers, and asks no proxy for plain HTTP; one of another type must not follow redirections.
func WithTransport(t http.RoundTripper) Option { return func(o *options) { o.transport = t } }

func newOptions(opts []Option) options {
	o := options{transport: http.DefaultTransport}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}
