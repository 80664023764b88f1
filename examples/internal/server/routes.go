package server

import (
	"net/http"

	"github.com/rise-deploy/rise-registry-go/examples/internal/bounds"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/embedded"
	"github.com/rise-deploy/rise-registry-go/examples/internal/metrics"
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

// routes are what is served at server.listen: credentials is the endpoint, tokens the token server, and the rest is for who watches
// over them.
func routes(c config.Server, credentials, tokens http.Handler, m *metrics.Metrics, h *health) http.Handler {
	limits := c.Limits.OrDefault()
	requests := bounds.NewRequests(limits.Requests)
	mux := http.NewServeMux()
	credentials = requests.Handler(credentials)
	mux.Handle(CredentialsPath, credentials)
	mux.Handle(DeploymentPath, credentials)
	tokens = requests.Handler(tokens)
	mux.Handle(embedded.TokenPath, tokens)
	mux.Handle(embedded.OtherTokenPath, tokens)
	if c.MetricsListen == "" {
		mux.Handle("GET /metrics", bounds.Rate(limits.ScrapesPerSecond, m.Handler()))
	}
	h.routes(mux)
	return h.handler(mux)
}
