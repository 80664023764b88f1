package registry

import (
	"errors"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// CacheConfig is the "cache" mapping of the registry section: how credentials are reused. nil means a field's default, as leaving its
// key out does: CacheConfig{Enabled: new(false)} turns reuse off.
type CacheConfig struct {
	// Enabled turns reuse on. Default true.
	Enabled *bool `yaml:"enabled"`
	// MinRemaining is how long a credential that is handed out lives at least (a quarter of its whole life, if that is
	// shorter); 0 is no such limit. Default 15 minutes.
	MinRemaining *time.Duration `yaml:"min_remaining"`
	// MaxEntries bounds how many credentials are kept; at least 1. Default 100,000.
	MaxEntries *int `yaml:"max_entries"`
	// MaxInFlight bounds how many credentials are issued at once; at least 1. Default 64.
	MaxInFlight *int `yaml:"max_in_flight"`
	// MaxPerSecond bounds how many credentials are issued a second, so that a crowd of new projects takes neither the upstream's quota nor the
	// processor from the others; 0 is no such limit. Default 200, a third of what AWS's STS admits an account.
	MaxPerSecond *int `yaml:"max_per_second"`
}

// DefaultCacheConfig returns the defaults, written out.
func DefaultCacheConfig() CacheConfig { return CacheConfig{}.withDefaults() }

func (c CacheConfig) withDefaults() CacheConfig {
	if c.Enabled == nil {
		c.Enabled = new(true)
	}
	if c.MinRemaining == nil {
		c.MinRemaining = new(15 * time.Minute)
	}
	if c.MaxEntries == nil {
		c.MaxEntries = new(100_000)
	}
	if c.MaxInFlight == nil {
		c.MaxInFlight = new(64)
	}
	if c.MaxPerSecond == nil {
		c.MaxPerSecond = new(200)
	}
	return c
}

// options are the cache's own, where 0 is the default and negative is none. c has its defaults.
func (c CacheConfig) options() cache.Options {
	o := cache.Options{MinRemaining: *c.MinRemaining, MaxEntries: *c.MaxEntries, MaxInFlight: *c.MaxInFlight, MaxPerSecond: *c.MaxPerSecond}
	if o.MinRemaining == 0 {
		o.MinRemaining = -1
	}
	return o
}

// Validate returns everything that is wrong with c, as joined [*provider.ConfigError] values.
func (c CacheConfig) Validate() error { return c.validate("") }

// validate puts prefix before the keys.
func (c CacheConfig) validate(prefix string) error {
	c = c.withDefaults()
	var errs []error
	if *c.MinRemaining < 0 {
		errs = append(errs, provider.NewConfigError(prefix+"min_remaining", "must not be negative"))
	}
	if *c.MaxEntries < 1 {
		errs = append(errs, provider.NewConfigError(prefix+"max_entries", "must be at least 1"))
	}
	if *c.MaxInFlight < 1 {
		errs = append(errs, provider.NewConfigError(prefix+"max_in_flight", "must be at least 1"))
	}
	if *c.MaxPerSecond < 0 {
		errs = append(errs, provider.NewConfigError(prefix+"max_per_second", "must not be negative; 0 is no limit"))
	}
	return errors.Join(errs...)
}
