package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Certificate exports what state says: when the certificate that is served ends, and why what its files have isn't served.
func (m *Metrics) Certificate(state func() (ends time.Time, problem error)) {
	gauge := func(name, help string, value func(ends time.Time, problem error) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Subsystem: "tls", Name: name, Help: help}, func() float64 { return value(state()) })
	}
	m.registry.MustRegister(
		gauge("certificate_expiry_seconds", "Seconds until the certificate that is served ends.", func(ends time.Time, _ error) float64 { return time.Until(ends).Seconds() }),
		gauge("certificate_problem", "Whether the files of server.tls have what can't be used, so that what they had before still is.", func(_ time.Time, problem error) float64 {
			if problem != nil {
				return 1
			}
			return 0
		}))
}
