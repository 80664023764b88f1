package registry

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// Factory builds providers by type. It is immutable and safe for concurrent use. Make it with [NewFactory].
type Factory struct{ types types }

var typePattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// NewFactory returns a factory of the given types. It fails when there are none, when two have one type, when a type isn't
// lower-case letters and digits with single hyphens inside, and when a section isn't a struct or has a key of its own that
// every section has.
func NewFactory(builders ...provider.Builder) (*Factory, error) {
	f := &Factory{types{builders: make(map[string]provider.Builder, len(builders))}}
	var errs []error
	for _, b := range builders {
		switch _, taken := f.types.builders[b.Type()]; {
		case !b.Valid():
			errs = append(errs, fmt.Errorf("builder of type %q can't build: make it with provider.NewBuilder, with a type and a build function", b.Type()))
		case !typePattern.MatchString(b.Type()):
			errs = append(errs, fmt.Errorf("type %q must be lower-case letters and digits, with single hyphens inside", b.Type()))
		case sectionOf(b) != nil:
			errs = append(errs, fmt.Errorf("type %q: %w", b.Type(), sectionOf(b)))
		case taken:
			errs = append(errs, fmt.Errorf("two builders have the type %q", b.Type()))
		default:
			f.types.builders[b.Type()] = b
		}
	}
	if len(builders) == 0 {
		errs = append(errs, errors.New("there are no builders"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, misconfigured("make factory", err)
	}
	return f, nil
}

// sectionOf says what is wrong with a builder's section.
func sectionOf(b provider.Builder) error {
	section := reflect.TypeOf(b.NewConfig()).Elem()
	if section.Kind() != reflect.Struct {
		return fmt.Errorf("its section must be a struct, not %s", section)
	}
	for field := range section.Fields() {
		switch key, _, _ := strings.Cut(field.Tag.Get("yaml"), ","); key {
		case "type", "cache":
			return fmt.Errorf("its section's key %q is one that every section has", key)
		}
	}
	return nil
}

// Types returns the known types, sorted.
func (f *Factory) Types() []string { return f.types.names() }

// Config returns a configuration section that knows the factory's types, to be decoded into.
func (f *Factory) Config() Config {
	return Config{Cache: DefaultCacheConfig(), types: &f.types}
}

// Build makes the provider that c selects, with a [cache.Cache] around it unless c turns that off, or its credentials are each one
// caller's own ([provider.CallerBound]): these aren't kept. [provider.As] finds what is inside. ctx is for building only; end the provider with [provider.Close].
//
// A c that no type was chosen for, or that another factory made, is [provider.ErrMisconfigured]; other errors are those of
// the type.
func (f *Factory) Build(ctx context.Context, c Config) (provider.Provider, error) {
	if err := c.Validate(); err != nil { // alone: all of the zero Config is wrong
		return nil, misconfigured("build provider", err)
	}
	c.Cache = c.Cache.withDefaults()
	if err := c.Cache.validate("cache."); err != nil {
		return nil, misconfigured("build provider", err)
	}
	b, ok := f.types.builders[c.Type]
	if !ok {
		return nil, misconfigured("build provider", provider.NewConfigError("type", "%s", f.types.unknown(c.Type)))
	}
	p, err := b.Build(ctx, c.section)
	if err != nil || !*c.Cache.Enabled || provider.BoundToCallers(p) {
		return p, err
	}
	return cache.New(p, c.Cache.options()), nil
}

func misconfigured(op string, err error) error {
	return &provider.Error{Kind: provider.ErrMisconfigured, Op: op, Err: err}
}
