package registry

import (
	"bytes"
	"errors"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Config is the registry section of a service's configuration: the keys that every type has, and the section of the one
// that its "type" key selects.
//
// Take it from [Factory.Config]; the zero Config knows no types.
// It is filled by configload, whose methods SetConfigType and ConfigParts it has, or in Go, field by field: call SetConfigType, fill in
// what Section returns, and set Cache.
//
//	c := factory.Config()
//	if err := c.SetConfigType(ecr.Type); err != nil { ... }
//	section := c.Section().(*ecr.Config)
//	section.Region, section.AccountID, section.PushRoleARN = "eu-west-1", "123456789012", "arn:aws:iam::…"
//
// Other YAML and JSON libraries can't fill it, as they don't know the section: they get an error that says so, at the latest from
// [Factory.Build]. Copies share the section.
type Config struct {
	// Type is the selected provider type.
	//
	// It is to be read: SetConfigType changes it.
	Type string `yaml:"type"`
	// Cache is how credentials are reused.
	//
	// The zero value means the defaults.
	Cache CacheConfig `yaml:"cache"`

	selected string // by SetConfigType
	section  any
	types    *types // of the factory; nil: none are known
}

// common is what configload fills beside the section: a Config without its methods.
type common Config

const (
	howToFill = "load it with configload, or call SetConfigType and fill in what Section returns"
	noFactory = "has no known types: take the section from Factory.Config, then " + howToFill
	notFilled = "was set by another way than SetConfigType, and the keys of its section went nowhere; " + howToFill
)

// errOtherLibrary is what other libraries get, before anything that they read is lost.
var errOtherLibrary = errors.New("registry.Config can't be filled by this library, which doesn't know the keys of its types: " + howToFill)

// SetConfigType selects a type and makes a new section with its defaults. An empty or unknown type is an error that lists
// the known ones.
func (c *Config) SetConfigType(typ string) error {
	if c.types == nil {
		return errors.New(noFactory)
	}
	if typ == "" {
		return errors.New(c.types.required())
	}
	b, ok := c.types.builders[typ]
	if !ok {
		return errors.New(c.types.unknown(typ))
	}
	c.Type, c.selected, c.section = typ, typ, b.NewConfig()
	return nil
}

// ConfigTypes returns the types that SetConfigType takes, sorted: those of the factory.
func (c *Config) ConfigTypes() []string {
	if c.types == nil {
		return nil
	}
	return c.types.names()
}

// ConfigParts returns pointers to the structs that together have the section's keys.
func (c *Config) ConfigParts() []any {
	if c.section == nil {
		return []any{(*common)(c)}
	}
	return []any{(*common)(c), c.section}
}

// Section returns a pointer to the selected type's own section, such as [*ecr.Config], or nil when none is selected.
//
// [*ecr.Config]: https://pkg.go.dev/github.com/rise-deploy/rise-registry-go/ecr#Config
func (c *Config) Section() any { return c.section }

// Validate reports a missing type, and one that was set by another way than SetConfigType, as a [*provider.ConfigError]. The
// parts are checked by their own Validate methods.
func (c Config) Validate() error {
	switch {
	case c.types == nil:
		return provider.NewConfigError("type", "%s", noFactory)
	case c.Type != c.selected:
		return provider.NewConfigError("type", "%s", notFilled)
	case c.Type == "" || c.section == nil:
		return provider.NewConfigError("type", "%s", c.types.required())
	}
	return nil
}

// UnmarshalJSON refuses: see [Config]. Only null, which means nothing, is fine.
func (c *Config) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		return nil
	}
	return errOtherLibrary
}

// UnmarshalYAML refuses: see [Config]. YAML libraries call it, this form being the one that they share; configload doesn't.
func (c *Config) UnmarshalYAML(func(any) error) error { return errOtherLibrary }

// UnmarshalTOML refuses: see [Config].
func (c *Config) UnmarshalTOML(any) error { return errOtherLibrary }

// UnmarshalMapstructure refuses: see [Config]. Versions of mapstructure that don't call it set Type alone, which Validate finds.
func (c *Config) UnmarshalMapstructure(any) error { return errOtherLibrary }
