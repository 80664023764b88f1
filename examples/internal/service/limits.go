package service

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/rise-deploy/rise-registry-go/examples/internal/bounds"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// exchangesOfOne is how many exchanges count as one request for a credential, since a push asks ten times, and leastExchanges how many a grant
// always has at once, since docker never tries again.
const exchangesOfOne, leastExchanges = 10, 100

// limits are what is counted of who asked lately. Each but subject is nil where there is no limit.
type limits struct {
	address            func(*http.Request) time.Duration // of the endpoint and of exchanges, since guesses are guesses
	subject, exchanged func(context.Context, string) time.Duration
}

func newLimits(c config.Server) (l limits) {
	if r := c.RateLimits.PerAddress; r.RequestsPerSecond > 0 {
		l.address = endpoint.NewRateLimit(r.RequestsPerSecond, r.Burst).ByAddress(c.Proxies()...)
	}
	if r := c.RateLimits.PerSubject; r.RequestsPerSecond > 0 {
		l.subject = endpoint.NewRateLimit(r.RequestsPerSecond, r.Burst).BySubject
		l.exchanged = endpoint.NewRateLimit(exchangesOfOne*r.RequestsPerSecond, max(exchangesOfOne*r.Burst, leastExchanges)).BySubject
	}
	at := c.Limits.OrDefault()
	l.subject = bounds.NewCallers(at.RequestsPerCaller, at.CallerPerSecond).Limit(l.subject)
	return l
}

// sameLimits reports whether limits would be made the same.
func sameLimits(same func(section string) bool) bool {
	return same("server.rate_limits") && same("server.limits") && same("server.trusted_proxies")
}

// guards are the endpoint's options for who asks, for what, and how often.
func (l limits) guards(c config.Server) []endpoint.Option {
	var opts []endpoint.Option
	if proxies := c.Proxies(); len(proxies) > 0 {
		opts = append(opts, endpoint.WithTrustedProxies(proxies...))
	}
	if l.address != nil {
		opts = append(opts, endpoint.WithAddressLimit(l.address))
	}
	opts = append(opts, endpoint.WithSubjectLimit(l.subject))
	if c.SessionPerCaller {
		opts = append(opts, endpoint.WithSessionPerCaller())
	}
	if c.ClusterCredentials {
		opts = append(opts, endpoint.WithClusterCredentials())
	}
	return opts
}

// exchanges are the token server's options for the same.
func (l limits) exchanges(c config.Server) []tokenissuer.HandlerOption {
	var opts []tokenissuer.HandlerOption
	if proxies := c.Proxies(); len(proxies) > 0 {
		opts = append(opts, tokenissuer.WithSource(func(r *http.Request) string { return sourceAddress(r, proxies) }))
	}
	if l.address != nil {
		opts = append(opts, tokenissuer.WithAddressLimit(l.address))
	}
	if l.exchanged != nil {
		opts = append(opts, tokenissuer.WithGrantLimit(l.exchanged))
	}
	return opts
}

func sourceAddress(r *http.Request, proxies []netip.Prefix) string {
	if address := endpoint.SourceAddress(r, proxies...); address.IsValid() {
		return address.String()
	}
	return ""
}
