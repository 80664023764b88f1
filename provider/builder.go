package provider

import (
	"context"
	"errors"
	"fmt"
	"reflect"
)

// A Builder makes providers of one type from that type's own configuration section. Make it with [NewBuilder] and give it
// to registry.NewFactory. The zero Builder has no type and is refused there.
type Builder struct {
	typ       string
	newConfig func() any
	build     func(ctx context.Context, config any) (Provider, error)
}

// NewBuilder returns a builder for the type that configurations call typ.
//
// C is the type's configuration section: a struct whose fields have yaml tags, without the keys "type" and "cache", which
// the registry section has for every type. Unknown keys are refused by whoever decodes it. If C or *C has a method
// Validate() error, it is called before build, and by configload when it loads the section; let it return
// [*ConfigError] values. Secrets in the section ([Secret] fields) are checked without it, by the rule of [Secret.Validate].
//
// defaults returns a section with the defaults filled in; nil means the zero C. build makes the provider; it should fail
// with [ErrMisconfigured] where the configuration is wrong. The context is for building only: lifetimes end with [Close].
func NewBuilder[C any, P Provider](typ string, defaults func() C, build func(context.Context, C) (P, error)) Builder {
	if build == nil {
		return Builder{typ: typ}
	}
	return Builder{
		typ: typ,
		newConfig: func() any {
			c := new(C)
			if defaults != nil {
				*c = defaults()
			}
			return c
		},
		build: func(ctx context.Context, config any) (Provider, error) {
			c, ok := config.(*C)
			if !ok || c == nil {
				return nil, &Error{Kind: ErrMisconfigured, Op: "build " + typ + " provider", Err: fmt.Errorf("the section is a %T, not a %T", config, new(C))}
			}
			if err := validateSection(c); err != nil {
				return nil, &Error{Kind: ErrMisconfigured, Op: "build " + typ + " provider", Err: err}
			}
			p, err := build(ctx, *c)
			if err != nil {
				return nil, err
			}
			if v := reflect.ValueOf(p); !v.IsValid() || (v.Kind() == reflect.Pointer && v.IsNil()) {
				return nil, &Error{Kind: ErrMisconfigured, Op: "build " + typ + " provider", Err: errors.New("its builder returned neither a provider nor an error")}
			}
			return p, nil
		},
	}
}

// Type returns the type's name.
func (b Builder) Type() string { return b.typ }

// Valid reports whether b can build: it was made by [NewBuilder] with a type and a build function.
func (b Builder) Valid() bool { return b.typ != "" && b.build != nil }

// NewConfig returns a pointer to a new section with its defaults.
func (b Builder) NewConfig() any {
	if b.newConfig == nil {
		return nil
	}
	return b.newConfig()
}

// Build makes a provider from a section that NewConfig returned and that was filled in since. Errors are [*Error], or what
// the type's own build function returned.
func (b Builder) Build(ctx context.Context, config any) (Provider, error) {
	if !b.Valid() {
		return nil, &Error{Kind: ErrMisconfigured, Op: "build provider", Err: errors.New("the builder is the zero Builder")}
	}
	return b.build(ctx, config)
}
