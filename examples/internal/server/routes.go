package server

import (
	"io"
	"net/http"

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
func routes(credentials, tokens http.Handler, m *metrics.Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(CredentialsPath, credentials)
	mux.Handle(DeploymentPath, credentials)
	mux.Handle(embedded.TokenPath, tokens)
	mux.Handle(embedded.OtherTokenPath, tokens)
	mux.Handle("GET /metrics", m.Handler())
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", ok) // nothing upstream is asked; a server that stops doesn't listen any more
	return mux
}

func ok(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, "ok\n")
}
