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

func (r reloads) note(used bool) {
	if !used {
		r.successful.Set(0)
		r.total.WithLabelValues("failed").Inc()
		return
	}
	r.successful.Set(1)
	r.at.Set(float64(time.Now().Unix()))
	r.total.WithLabelValues("ok").Inc()
}
