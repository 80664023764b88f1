package client

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Option changes how a [Client] asks.
type Option func(*options)

type options struct {
	http     *http.Client
	caFile   string
	insecure bool
	consumer provider.Consumer
	registry string
	timeout  time.Duration
	patience time.Duration
	agent    string
	logger   *slog.Logger
}

const (
	// DefaultTimeout is how long one request may take: longer than the endpoint's own limit, whose answer says more.
	DefaultTimeout = 40 * time.Second
	// DefaultPatience is how long asking may take, with all that is tried again.
	DefaultPatience = time.Minute
)

// WithHTTPClient has requests made by h, such as one with a transport of one's own: for a proxy, a client certificate, a test. Redirects aren't
// followed nor cookies kept, whatever h says. Clients that are made by the hundred best share one. The default takes the proxy from the environment. [New] refuses it together with [WithCAFile].
func WithHTTPClient(h *http.Client) Option { return func(o *options) { o.http = h } }

// WithCAFile has the endpoint's certificate trusted by the PEM file of authorities at path, and by no others. It is read once, by [New].
func WithCAFile(path string) Option { return func(o *options) { o.caFile = path } }

// WithInsecure allows an endpoint of http:// that isn't on this machine. Whoever is in between then reads tokens and credentials.
func WithInsecure() Option { return func(o *options) { o.insecure = true } }

// WithConsumer says who uses the credentials: with [provider.Cluster] they are what a kubelet can use, by the name under which the cluster
// reaches the registry, and only for [provider.Pull]. The default is [provider.Client].
func WithConsumer(consumer provider.Consumer) Option {
	return func(o *options) { o.consumer = consumer }
}

// WithRegistry says which registry's credentials are expected, as "registry.example.com" or "registry.example.com:5000": those of another are refused, and
// a keychain knows without asking what isn't its business. By default it is what the endpoint says.
func WithRegistry(host string) Option { return func(o *options) { o.registry = host } }

// WithTimeout limits how long one request to the endpoint may take, by default [DefaultTimeout]. Zero or less is the default.
func WithTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// WithPatience limits how long a credential is asked for, with the token source and all that is tried again, by default [DefaultPatience]. Zero or less is the default.
func WithPatience(d time.Duration) Option { return func(o *options) { o.patience = d } }

// WithUserAgent names the program in requests, as "docker-credential-rise/1.2".
func WithUserAgent(agent string) Option { return func(o *options) { o.agent = agent } }

// WithLogger has what is tried again, and what is used although it couldn't be renewed, logged as warnings. By default nothing is logged.
func WithLogger(logger *slog.Logger) Option {
	return func(o *options) {
		if logger != nil {
			o.logger = logger
		}
	}
}
