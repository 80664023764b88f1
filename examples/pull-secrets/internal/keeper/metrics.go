package keeper

import "github.com/prometheus/client_golang/prometheus"

// Metrics are what Prometheus sees, over all terms of this process. Make it with [NewMetrics].
type Metrics struct {
	writes   *prometheus.CounterVec
	renewals prometheus.Counter
	failures *prometheus.CounterVec
}

const prefix = "rise_pull_secrets_"

// NewMetrics registers what is counted.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		writes:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "writes_total", Help: "Secrets written, by operation: create, update, delete."}, []string{"operation"}),
		renewals: prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "renewals_total", Help: "Credentials that were asked for and had."}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "failures_total", Help: "What failed, by code: a kind of the library's errors, kubernetes, not_ours, invalid_project, other."}, []string{"code"}),
	}
	r.MustRegister(m.writes, m.renewals, m.failures)
	for _, operation := range []string{"create", "update", "delete"} {
		m.writes.WithLabelValues(operation)
	}
	return m
}
