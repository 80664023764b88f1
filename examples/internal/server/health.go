package server

import (
	"io"
	"net/http"
	"net/http/pprof"
	"sync/atomic"

	"github.com/rise-deploy/rise-registry-go/examples/internal/bounds"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/metrics"
)

// health is what those learn who send requests here, or not.
type health struct {
	stopping atomic.Bool
	audit    func() error // why another instance may do better, or nil
}

func (h *health) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", h.ready) // nothing upstream is asked
}

func (h *health) ready(w http.ResponseWriter, _ *http.Request) {
	switch {
	case h.stopping.Load():
		say(w, http.StatusServiceUnavailable, "stopping\n")
	case h.audit() != nil:
		say(w, http.StatusServiceUnavailable, "the audit log can't be written\n")
	default:
		say(w, http.StatusOK, "ok\n")
	}
}

// handler has clients use other connections for what comes after next's answers, once the server stops: these end.
func (h *health) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// metricsRoutes are what is served at server.metrics_listen: metrics and health, and on loopback, where only this machine's own ask, profiles and the word to
// forget everything.
func metricsRoutes(c config.Server, m *metrics.Metrics, h *health, forget func()) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", bounds.Rate(c.Limits.OrDefault().ScrapesPerSecond, m.Handler()))
	h.routes(mux)
	if c.MetricsOnLoopback() {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		mux.HandleFunc("POST /forget", func(w http.ResponseWriter, _ *http.Request) {
			forget()
			say(w, http.StatusOK, "forgot all credentials that were kept\n")
		})
	}
	var ownSite http.CrossOriginProtection // no page in a browser on this machine forgets anything
	return ownSite.Handler(mux)
}
