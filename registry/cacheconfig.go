package registry

import (
	"errors"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// CacheConfig is the "cache" mapping of the registry section: how credentials are reused.
type CacheConfig struct {
	// Enabled turns reuse on. Default true.
	Enabled bool `yaml:"enabled"`
	// MinRemaining is how long a credential that is handed out lives at least (a quarter of its whole life, if that is
	// shorter); 0 is no such limit. Default 15 minutes.
	MinRemaining time.Duration `yaml:"min_remaining"`
	// MaxEntries bounds how many credentials are kept. Default 100,000.
	MaxEntries int `yaml:"max_entries"`
	// MaxInFlight bounds how many credentials are issued at once. Default 64.
	MaxInFlight int `yaml:"max_in_flight"`
}

// DefaultCacheConfig returns the defaults.
func DefaultCacheConfig() CacheConfig {
	return CacheConfig{Enabled: true, MinRemaining: 15 * time.Minute, MaxEntries: 100_000, MaxInFlight: 64}
}

// options are the cache's own, where 0 is the default and negative is none.
func (c CacheConfig) options() cache.Options {
	o := cache.Options{MinRemaining: c.MinRemaining, MaxEntries: c.MaxEntries, MaxInFlight: c.MaxInFlight}
	if o.MinRemaining == 0 {
		o.MinRemaining = -1
	}
	return o
}

// Validate returns everything that is wrong with c, as joined [*provider.ConfigError] values.
func (c CacheConfig) Validate() error { return c.validate("") }

// validate puts prefix before the keys.
func (c CacheConfig) validate(prefix string) error {
	var errs []error
	if c.MinRemaining < 0 {
		errs = append(errs, provider.NewConfigError(prefix+"min_remaining", "must not be negative"))
	}
	if c.MaxEntries < 1 {
		errs = append(errs, provider.NewConfigError(prefix+"max_entries", "must be at least 1"))
	}
	if c.MaxInFlight < 1 {
		errs = append(errs, provider.NewConfigError(prefix+"max_in_flight", "must be at least 1"))
	}
	return errors.Join(errs...)
}
