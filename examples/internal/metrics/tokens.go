package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
)

// exchanges counts a token server's.
type exchanges struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	once     *sync.Once // registered
}

func newExchanges() exchanges {
	return exchanges{
		once: &sync.Once{},
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "token_exchanges_total",
			Help: "Requests to /token, by what became of them. code is that of the error, empty when a token was issued.",
		}, []string{"outcome", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "token_exchange_duration_seconds", Help: "How long requests to /token took.",
			Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5, 10, 30},
		}, []string{"outcome"}),
	}
}

func (x exchanges) count(e tokenissuer.Exchange) {
	x.total.WithLabelValues(string(e.Outcome), e.Code).Inc()
	x.duration.WithLabelValues(string(e.Outcome)).Observe(e.Duration.Seconds())
}

// register exports them, at zero those that rules ask for.
func (x exchanges) register(r prometheus.Registerer) {
	x.once.Do(func() { r.MustRegister(x.total, x.duration) })
	x.total.WithLabelValues(string(tokenissuer.Issued), "")
	for _, code := range []string{"UNAVAILABLE", "UNKNOWN"} {
		x.total.WithLabelValues(string(tokenissuer.Failed), code)
	}
}

// keysCollector reads the state of a token server's keys on each scrape.
type keysCollector struct {
	present func() (*tokenissuer.Provider, bool)
}

// Describe implements prometheus.Collector: what there is to collect depends on the provider.
func (c keysCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c keysCollector) Collect(ch chan<- prometheus.Metric) {
	issuer, ok := c.present()
	if !ok {
		return
	}
	k := issuer.Keys()
	gauge := func(name, help string, v float64) {
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(prometheus.BuildFQName(namespace, "signing", name), help, nil, nil), prometheus.GaugeValue, v)
	}
	flag := func(set bool) float64 {
		if set {
			return 1
		}
		return 0
	}
	gauge("certificate_expiry_seconds", "Seconds until the signing certificate, or one of its authorities', expires: no push and no pull works after that.",
		time.Until(k.CertificateEnds).Seconds())
	gauge("certificate_ends_soon", "Whether it is time for a new signing certificate.", flag(k.EndsSoon))
	gauge("keys", "Keys whose grants are taken.", float64(k.Count))
	gauge("keys_problem", "Whether the files of keys and certificates have what can't be used, so that what they had before still is.", flag(k.Problem != nil))
}
