package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rise-deploy/rise-registry-go/examples/internal/audit"
	"github.com/rise-deploy/rise-registry-go/examples/internal/lines"
)

// AuditLog exports the numbers of the audit log, and of the log's stream.
func (m *Metrics) AuditLog(l *audit.Log, stream *lines.Writer) {
	m.registry.MustRegister(auditCollector{l, stream})
}

// auditCollector reads them on each scrape.
type auditCollector struct {
	log    *audit.Log
	stream *lines.Writer
}

// Describe implements prometheus.Collector: what a collection yields is fixed.
func (c auditCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c auditCollector) Collect(ch chan<- prometheus.Metric) {
	desc := func(subsystem, name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, name), help, labels, nil)
	}
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	s := c.log.Stats()
	records := desc("audit", "records_total", "Audit records, by whether they could be written. What failed was refused, or handed out without a record if audit.on_failure says so.", "result")
	counter(records, s.Written, "written")
	counter(records, s.Failed, "failed")
	counter(desc("audit", "refusals_left_out_total", "Refusals of callers that nobody knows, or that repeat, which were counted in place of a record each."), s.LeftOut)
	failing := 0.0
	if c.log.Failing() != nil {
		failing = 1
	}
	ch <- prometheus.MustNewConstMetric(desc("audit", "failing", "Whether audit records can't be written at present."), prometheus.GaugeValue, failing)
	counter(desc("log", "lines_dropped_total", "Lines of the log, without the audit's, that couldn't be written."), c.stream.Stats().Dropped)
}
