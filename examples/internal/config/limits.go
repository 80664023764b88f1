package config

import (
	"cmp"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Limits are how much there is at once. Of each, 0 means the default: there is none without a limit.
type Limits struct {
	// Connections are those of a listener. Beyond, the one goes that has waited longest without sending a request. Default 2048; fewer where the process may
	// not open that many files.
	Connections int `yaml:"connections"`
	// Requests are those that are answered at once; more are 503. Default 1024.
	Requests int `yaml:"requests"`
	// RequestsPerCaller are a caller's own of these; more are 429. Default 256.
	RequestsPerCaller int `yaml:"requests_per_caller"`
	// CallerPerSecond are a caller's requests a second; more wait for their turn. Default 500.
	CallerPerSecond int `yaml:"caller_per_second"`
	// ScrapesPerSecond are requests for /metrics; more are 503. Default 5.
	ScrapesPerSecond int `yaml:"scrapes_per_second"`
	// HeaderBytes is how long a request's header may be: 1024 to 1048576. Default 16384.
	HeaderBytes int `yaml:"header_bytes"`
	// HeaderTimeout is how long it may take to arrive, at most 1 minute. Default 10 seconds.
	HeaderTimeout time.Duration `yaml:"header_timeout"`
}

// OrDefault fills in the defaults.
func (l Limits) OrDefault() Limits {
	return Limits{
		Connections: cmp.Or(l.Connections, 2048), Requests: cmp.Or(l.Requests, 1024), RequestsPerCaller: cmp.Or(l.RequestsPerCaller, 256),
		CallerPerSecond:  cmp.Or(l.CallerPerSecond, 500),
		ScrapesPerSecond: cmp.Or(l.ScrapesPerSecond, 5), HeaderBytes: cmp.Or(l.HeaderBytes, 16<<10), HeaderTimeout: cmp.Or(l.HeaderTimeout, 10*time.Second),
	}
}

func (l Limits) validate() (errs []error) {
	for _, one := range []struct {
		key                string
		value, least, most int
	}{
		{"connections", l.Connections, 1, 1 << 20}, {"requests", l.Requests, 1, 1 << 20}, {"requests_per_caller", l.RequestsPerCaller, 1, 1 << 20},
		{"caller_per_second", l.CallerPerSecond, 1, 1 << 20},
		{"scrapes_per_second", l.ScrapesPerSecond, 1, 1000}, {"header_bytes", l.HeaderBytes, 1 << 10, 1 << 20},
	} {
		if one.value != 0 && (one.value < one.least || one.value > one.most) {
			errs = append(errs, provider.NewConfigError("server.limits."+one.key, "must be %d to %d, or 0 for the default", one.least, one.most))
		}
	}
	if l.HeaderTimeout < 0 || l.HeaderTimeout > time.Minute {
		errs = append(errs, provider.NewConfigError("server.limits.header_timeout", "must be at most 1m, or 0 for the default"))
	}
	return errs
}
