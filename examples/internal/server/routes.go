package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/rise-deploy/rise-registry-go/examples/internal/bounds"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/embedded"
	"github.com/rise-deploy/rise-registry-go/examples/internal/metrics"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// CredentialsPath is where credentials are asked for.
const CredentialsPath = "/api/v1/registry/credentials"

// DeploymentPath is where Rise's clients ask. The reference server knows no deployments: any is answered as its project is.
const DeploymentPath = "/api/v1/projects/{project}/deployments/{deployment}/registry-credentials"

// projectIn is the project in the path, where it has one.
func projectIn(r *http.Request) (name string, ok bool) {
	name = r.PathValue("project")
	return name, name != ""
}

// routes are what is served at server.listen: credentials is the endpoint, tokens the token server if there is one, and the rest is for who
// watches over them.
func routes(c config.Server, credentials, tokens http.Handler, m *metrics.Metrics, h *health) http.Handler {
	limits := c.Limits.OrDefault()
	requests := bounds.NewRequests(limits.Requests)
	mux := http.NewServeMux()
	credentials = requests.Handler(credentials)
	mux.Handle(CredentialsPath, credentials)
	mux.Handle(DeploymentPath, credentials)
	if tokens != nil {
		tokens = requests.Handler(tokens)
		mux.Handle(embedded.TokenPath, tokens)
		mux.Handle(embedded.OtherTokenPath, tokens)
	}
	if c.MetricsListen == "" {
		mux.Handle("GET /metrics", bounds.Rate(limits.ScrapesPerSecond, m.Handler()))
	}
	h.routes(mux)
	return h.handler(mux)
}

// ensures returns the option that makes p's repositories, if that is configured and they don't appear by themselves.
func ensures(c config.Server, p provider.Provider) ([]endpoint.Option, error) {
	onPush, _ := provider.As[repository.PushCreator](p)
	if !c.EnsureRepositories || onPush != nil && onPush.CreatesOnPush() {
		return nil, nil
	}
	m, err := repository.ManagerOf(p)
	if err != nil {
		return nil, fmt.Errorf("server.ensure_repositories: %w", err)
	}
	return []endpoint.Option{endpoint.WithRepositories(m)}, nil
}

// addressLimit is the limit of an address, or nil.
func addressLimit(c config.Server) func(*http.Request) time.Duration {
	if l := c.RateLimits.PerAddress; l.RequestsPerSecond > 0 {
		return endpoint.NewRateLimit(l.RequestsPerSecond, l.Burst).ByAddress(c.Proxies()...)
	}
	return nil
}

// guards are the endpoint's options for who asks, for what, and how often.
func guards(c config.Server, byAddress func(*http.Request) time.Duration) []endpoint.Option {
	var opts []endpoint.Option
	if proxies := c.Proxies(); len(proxies) > 0 {
		opts = append(opts, endpoint.WithTrustedProxies(proxies...))
	}
	if byAddress != nil {
		opts = append(opts, endpoint.WithAddressLimit(byAddress))
	}
	var bySubject func(context.Context, string) time.Duration
	if l := c.RateLimits.PerSubject; l.RequestsPerSecond > 0 {
		bySubject = endpoint.NewRateLimit(l.RequestsPerSecond, l.Burst).BySubject
	}
	opts = append(opts, endpoint.WithSubjectLimit(bounds.NewCallers(c.Limits.OrDefault().RequestsPerCaller).Limit(bySubject)))
	if c.SessionPerCaller {
		opts = append(opts, endpoint.WithSessionPerCaller())
	}
	if c.ClusterCredentials {
		opts = append(opts, endpoint.WithClusterCredentials())
	}
	return opts
}
