// Package metrics is what the example server exports for Prometheus. No label holds a project, a caller or an address.
package metrics

import (
	"context"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// Metrics are one server's.
type Metrics struct {
	registry *prometheus.Registry

	requests         *prometheus.CounterVec
	requestDuration  *prometheus.HistogramVec
	attempts         *prometheus.CounterVec
	attemptDurations *prometheus.HistogramVec
	exchanges        exchanges
	reloads          reloads
	provider         atomic.Pointer[provider.Provider]
}

// New returns metrics with a registry of their own.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), exchanges: newExchanges(), reloads: newReloads(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "requests_total",
			Help: "Requests to the credentials endpoint, by what became of them. code is that of the error, empty when a credential was issued.",
		}, []string{"provider", "access", "consumer", "outcome", "code"}),
		requestDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "request_duration_seconds", Help: "How long requests to the credentials endpoint took.",
			Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"outcome"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "upstream_attempts_total",
			Help: "Calls to AWS, each attempt of a call that is tried again counted. code is AWS's error code, ok, canceled, transport for one that got no answer, or other.",
		}, []string{"service", "operation", "code"}),
		attemptDurations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "upstream_attempt_duration_seconds", Help: "How long attempts of calls to AWS took.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"service", "operation"}),
	}
	m.registry.MustRegister(m.requests, m.requestDuration, m.attempts, m.attemptDurations, buildInfo(),
		m.reloads.successful, m.reloads.at, m.reloads.total, keysCollector{func() (*tokenissuer.Provider, bool) { return present[*tokenissuer.Provider](m) }}, cacheCollector{m},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func buildInfo() prometheus.Collector {
	labels := prometheus.Labels{"version": "unknown", "revision": "unknown", "goversion": "unknown"}
	if info, ok := debug.ReadBuildInfo(); ok {
		labels["version"], labels["goversion"] = info.Main.Version, info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				labels["revision"] = s.Value
			}
		}
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the labels say what runs.", ConstLabels: labels,
	})
	g.Set(1)
	return g
}

// Handler serves them.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Audit returns an audit hook that passes events on and counts them, by what callers get: a credential that can't be recorded isn't handed out.
func (m *Metrics) Audit(next func(context.Context, endpoint.Event) error) func(context.Context, endpoint.Event) error {
	return func(ctx context.Context, e endpoint.Event) error {
		err := next(ctx, e)
		if e.Login { // at the token server, whose exchanges are counted
			return err
		}
		if err != nil && e.Outcome == endpoint.Issued {
			e.Outcome, e.Code = endpoint.Failed, "unavailable"
		}
		access, consumer := "", ""
		if e.Project != "" {
			access, consumer = e.Access.String(), e.Consumer.String()
		}
		m.requests.WithLabelValues(e.Provider, access, consumer, string(e.Outcome), e.Code).Inc()
		m.requestDuration.WithLabelValues(string(e.Outcome)).Observe(e.Duration.Seconds())
		return err
	}
}

// Exchanges returns an audit hook that passes exchanges of tokens on and counts them, likewise.
func (m *Metrics) Exchanges(next func(context.Context, tokenissuer.Exchange) error) func(context.Context, tokenissuer.Exchange) error {
	return func(ctx context.Context, e tokenissuer.Exchange) error {
		err := next(ctx, e)
		if err != nil && e.Outcome == tokenissuer.Issued {
			e.Outcome, e.Code = tokenissuer.Failed, "UNAVAILABLE"
		}
		m.exchanges.count(e)
		return err
	}
}

// Provider exports what is p's from now on, in place of another's: the numbers of its cache, the exchanges and keys of its token server, if it has them, and at zero the
// counters of its requests that rules ask for, as a rate doesn't see a counter that begins with one.
func (m *Metrics) Provider(p provider.Provider) {
	for _, of := range []provider.Request{{Access: provider.Pull}, {Access: provider.Push}, {Access: provider.Pull, Consumer: provider.Cluster}} {
		access, consumer := of.Access.String(), of.Consumer.String()
		m.requests.WithLabelValues(provider.TypeOf(p), access, consumer, string(endpoint.Issued), "")
		for _, code := range []string{"upstream_denied", "unavailable", "timeout", "internal"} {
			m.requests.WithLabelValues(provider.TypeOf(p), access, consumer, string(endpoint.Failed), code)
		}
	}
	if _, ok := provider.As[*tokenissuer.Provider](p); ok {
		m.exchanges.register(m.registry)
	}
	m.provider.Store(&p)
}

// Reloaded notes that the configuration was read again, and whether it is used.
func (m *Metrics) Reloaded(used bool) { m.reloads.note(used) }

// present returns the present provider as a T, if it is one.
func present[T any](m *Metrics) (t T, ok bool) {
	if p := m.provider.Load(); p != nil {
		return provider.As[T](*p)
	}
	return t, false
}

// cacheCollector reads the cache's numbers on each scrape.
type cacheCollector struct{ metrics *Metrics }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "cache", name), help, labels, nil)
}

// Describe implements prometheus.Collector: what there is to collect depends on the provider.
func (c cacheCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c cacheCollector) Collect(ch chan<- prometheus.Metric) {
	kept, ok := present[*cache.Cache](c.metrics)
	if !ok {
		return
	}
	s := kept.Stats()
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(name, help string, v float64) {
		ch <- prometheus.MustNewConstMetric(describe(name, help), prometheus.GaugeValue, v)
	}
	requests := describe("requests_total", "Requests for a credential: answered with a kept one (hit), by a new issue (miss), by another's (join), or with the last error (refusal).", "result")
	counter(requests, s.Hits, "hit")
	counter(requests, s.Misses, "miss")
	counter(requests, s.Joins, "join")
	counter(requests, s.Refusals, "refusal")
	counter(describe("refreshes_total", "Issues that were begun to replace a credential still in use."), s.Refreshes)
	counter(describe("failures_total", "Issues that failed."), s.Failures)
	counter(describe("throttled_total", "Attempts that the upstream throttled; they slow issuing down."), s.Throttled)
	counter(describe("evictions_total", "Credentials that went because there were too many."), s.Evictions)
	gauge("entries", "Credentials that are kept.", float64(s.Entries))
	gauge("issues_in_flight", "Issues that are running.", float64(s.InFlight))
	gauge("issues_queued", "Issues that wait for others to end, for throttling to, or for cache.max_per_second.", float64(s.Queued))
	if !s.EarliestExpiry.IsZero() {
		gauge("earliest_expiry_seconds", "Seconds until the first of the kept credentials expires; absent when none does.", time.Until(s.EarliestExpiry).Seconds())
	}
}
