package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// reloads is how the last reading of the configuration went.
type reloads struct {
	successful, at prometheus.Gauge
	total          *prometheus.CounterVec
}

func newReloads() reloads {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	}
	r := reloads{
		successful: gauge("config_last_reload_successful", "Whether the configuration, as it was read last, is the one in use. 0: it is wrong, and the one before is kept."),
		at:         gauge("config_last_reload_success_timestamp_seconds", "When the configuration in use was read."),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "config_reloads_total", Help: "How often the configuration was read again, by whether it is used (ok) or wrong (failed).",
		}, []string{"result"}),
	}
	r.successful.Set(1)
	r.at.Set(float64(time.Now().Unix()))
	for _, result := range []string{"ok", "failed"} {
		r.total.WithLabelValues(result)
	}
	return r
}

// Reloaded notes that the configuration was read again, and whether it is used.
func (m *Metrics) Reloaded(used bool) {
	if !used {
		m.reloads.successful.Set(0)
		m.reloads.total.WithLabelValues("failed").Inc()
		return
	}
	m.reloads.successful.Set(1)
	m.reloads.at.Set(float64(time.Now().Unix()))
	m.reloads.total.WithLabelValues("ok").Inc()
}

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
