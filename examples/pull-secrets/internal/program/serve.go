package program

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/election"
	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/keeper"
	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/mapping"
)

// condition is how the program is, for probes and Prometheus.
type condition struct {
	election *election.Election
	keeper   atomic.Pointer[keeper.Keeper] // nil while this replica doesn't lead
	file     *mapping.File                 // nil if namespaces are mapped by label
}

// ready says why this replica isn't; "" if it is.
func (c *condition) ready() string {
	if since := time.Since(c.election.Answered()); since > 2*c.election.Duration {
		return "the API server doesn't say whose the Lease is"
	}
	if k := c.keeper.Load(); k != nil && !k.Synced() {
		return "what there is in the cluster isn't known yet"
	}
	return ""
}

// Describe implements [prometheus.Collector].
func (c *condition) Describe(to chan<- *prometheus.Desc) {
	to <- leads
	to <- mapped
	new(keeper.Keeper).Describe(to)
}

var (
	leads  = prometheus.NewDesc("rise_pull_secrets_leader", "1 where this replica works, 0 where it waits.", nil, nil)
	mapped = prometheus.NewDesc("rise_pull_secrets_mapping_file_ok", "0 while the mapping file can't be read, so that what it held before counts. Absent with --mapping-label.", nil, nil)
)

// Collect implements [prometheus.Collector].
func (c *condition) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, on bool) {
		value := 0.0
		if on {
			value = 1
		}
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	gauge(leads, c.election.Leading())
	if c.file != nil {
		gauge(mapped, c.file.Failed() == "")
	}
	k := c.keeper.Load()
	if k == nil {
		k = keeper.New(keeper.Config{})
	}
	k.Collect(to)
}

// registry has this program's metrics, Go's and the process's.
func registry(c *condition) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(c, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// serve answers probes and Prometheus until ctx ends.
func serve(ctx context.Context, listener net.Listener, c *condition, metrics *prometheus.Registry) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := c.ready(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}
