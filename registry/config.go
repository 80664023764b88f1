package registry

import (
	"errors"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Config is the registry section of a service's configuration: the keys that every type has, and the section of the one
// that its "type" key selects. Take it from [Factory.Config]; the zero Config knows no types.
//
// It has the methods by which configload decodes it: SetConfigType and ConfigParts. A service that doesn't load files
// calls SetConfigType itself, fills in what Section returns, and sets the field Cache, a [CacheConfig]. The field Type is
// the selected type's name, to be read. Copies share the section.
type Config struct {
	common
	section any
	factory *Factory
}

type common struct {
	// Type is the selected provider type. Change it with SetConfigType.
	Type string `yaml:"type"`
	// Cache is how credentials are reused.
	Cache CacheConfig `yaml:"cache"`
}

const noFactory = "has no known types: take the section from Factory.Config"

// SetConfigType selects a type and makes a new section with its defaults. An empty or unknown type is an error that lists
// the known ones.
func (c *Config) SetConfigType(typ string) error {
	if c.factory == nil {
		return errors.New(noFactory)
	}
	if typ == "" {
		return errors.New(c.factory.required())
	}
	b, ok := c.factory.builders[typ]
	if !ok {
		return errors.New(c.factory.unknown(typ))
	}
	c.Type, c.section = typ, b.NewConfig()
	return nil
}

// ConfigParts returns pointers to the structs that together have the section's keys.
func (c *Config) ConfigParts() []any {
	if c.section == nil {
		return []any{&c.common}
	}
	return []any{&c.common, c.section}
}

// Section returns a pointer to the selected type's own section, such as [*ecr.Config], or nil when none is selected.
//
// [*ecr.Config]: https://pkg.go.dev/github.com/rise-deploy/rise-registry-go/ecr#Config
func (c *Config) Section() any { return c.section }

// Validate reports a missing type, as a [*provider.ConfigError]. The parts are checked by their own Validate methods.
func (c Config) Validate() error {
	if c.factory == nil {
		return provider.NewConfigError("type", "%s", noFactory)
	}
	if c.Type == "" || c.section == nil {
		return provider.NewConfigError("type", "%s", c.factory.required())
	}
	return nil
}
