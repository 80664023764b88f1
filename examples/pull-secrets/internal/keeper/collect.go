package keeper

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	kept     = prometheus.NewDesc(prefix+"secrets", "Secrets that this replica keeps; 0 where another one leads.", nil, nil)
	lapsed   = prometheus.NewDesc(prefix+"expired_secrets", "Those of them whose credential has expired.", nil, nil)
	failing  = prometheus.NewDesc(prefix+"failing_namespaces", "Namespaces whose last attempt failed.", nil, nil)
	earliest = prometheus.NewDesc(prefix+"earliest_expiry_seconds", "Seconds until the first of the credentials expires; negative once it has. Absent if there is none that expires.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (k *Keeper) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{kept, lapsed, failing, earliest} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (k *Keeper) Collect(to chan<- prometheus.Metric) {
	now := time.Now()
	var secrets, expired, troubled float64
	var first time.Time
	k.states.mu.Lock()
	for _, st := range k.states.of {
		if st.trouble != "" {
			troubled++
		}
		if st.secret == nil {
			continue
		}
		secrets++
		v := st.wrote // what is there may say anything: who may write a secret may write its annotations
		if v == nil {
			continue
		}
		if v.expired(now) {
			expired++
		}
		if !v.expires.IsZero() && (first.IsZero() || v.expires.Before(first)) {
			first = v.expires
		}
	}
	k.states.mu.Unlock()
	to <- prometheus.MustNewConstMetric(kept, prometheus.GaugeValue, secrets)
	to <- prometheus.MustNewConstMetric(lapsed, prometheus.GaugeValue, expired)
	to <- prometheus.MustNewConstMetric(failing, prometheus.GaugeValue, troubled)
	if !first.IsZero() {
		to <- prometheus.MustNewConstMetric(earliest, prometheus.GaugeValue, first.Sub(now).Seconds())
	}
}
