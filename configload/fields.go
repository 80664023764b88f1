package configload

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// tagName is the struct tag that names keys, and inlineOption its option that puts a struct's keys among its parent's.
const (
	tagName      = "yaml"
	inlineOption = "inline"
)

// field is a key of a struct.
type field struct {
	name  string
	index []int // for reflect.Value.FieldByIndex
}

// fieldsOf returns the keys of a struct in the order of its fields, those of inline structs in their place.
// It expects a type that checkType has accepted.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for f := range keyedFields(t) {
		if !f.inline {
			fields = append(fields, field{f.name, f.Index})
			continue
		}
		for _, inner := range fieldsOf(f.Type) {
			fields = append(fields, field{inner.name, append(f.Index[:1:1], inner.index...)})
		}
	}
	return fields
}

func names(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// keyedField is a struct's field that has a key, or is inline.
type keyedField struct {
	reflect.StructField
	name    string
	inline  bool
	options []string
}

// keyedFields yields the fields of t that take part: exported, or embedded and inline, and not tagged "-".
func keyedFields(t reflect.Type) func(yield func(keyedField) bool) {
	return func(yield func(keyedField) bool) {
		for i := range t.NumField() {
			f := keyedField{StructField: t.Field(i)}
			tag := f.Tag.Get(tagName)
			parts := strings.Split(tag, ",")
			f.name, f.options = parts[0], parts[1:]
			for _, o := range f.options {
				f.inline = f.inline || o == inlineOption
			}
			if tag == "-" || !f.IsExported() && (!f.inline || !f.Anonymous) {
				continue
			}
			if f.name == "" {
				f.name = strings.ToLower(f.Name)
			}
			if !yield(f) {
				return
			}
		}
	}
}

var (
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	textMarshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
	durationType        = reflect.TypeFor[time.Duration]()
)

func unmarshalsText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textUnmarshalerType) }

// isScalar reports whether t is decoded from a single value.
func isScalar(t reflect.Type) bool {
	if unmarshalsText(t) {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	default:
		return false
	}
}

// checkType returns an error when no configuration could be loaded into a t. The parts of a Variant are checked when they
// are known.
func checkType(t reflect.Type) error {
	return typeChecker{}.check(t, t.String())
}

// typeChecker holds the types seen, since types may be recursive.
type typeChecker map[reflect.Type]bool

func (c typeChecker) check(t reflect.Type, at string) error {
	if c[t] || isVariant(t) || isScalar(t) {
		return nil
	}
	c[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return c.check(t.Elem(), at)
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return fmt.Errorf("configload: %s: a map needs string keys, not %s", at, t.Key())
		}
		return c.check(t.Elem(), at)
	case reflect.Struct:
		return c.checkStruct(t, at)
	default:
		return fmt.Errorf("configload: %s: type %s can't be configured", at, t)
	}
}

func (c typeChecker) checkStruct(t reflect.Type, at string) error {
	for f := range keyedFields(t) {
		name := at + "." + f.Name
		for _, o := range f.options {
			switch o {
			case inlineOption, "omitempty", "flow": // the last two matter only to other packages
			default:
				return fmt.Errorf("configload: %s: unknown option %q in its %s tag", name, o, tagName)
			}
		}
		if f.inline && (f.Type.Kind() != reflect.Struct || isVariant(f.Type) || isScalar(f.Type)) {
			return fmt.Errorf("configload: %s: only a plain struct can be inline, not %s", name, f.Type)
		}
		if err := c.check(f.Type, name); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, f := range fieldsOf(t) {
		if seen[f.name] {
			return fmt.Errorf("configload: %s: two fields have the key %q", at, f.name)
		}
		seen[f.name] = true
	}
	return nil
}

// Variant is implemented by (a pointer to) a configuration value whose keys depend on the "type" key of its mapping, as
// those of a section that selects an implementation do.
//
// Load calls SetConfigType once with the text of "type" after substitution, "" when there is none, and then fills what
// ConfigParts returns: each key goes to the part that has it, and a key that no part has is an error. A Variant that no
// file mentions, or that is left empty, keeps its default, and neither is called for decoding.
//
// Load works on a shallow copy of the value that it was given, and gives it up when it fails. So SetConfigType must
// allocate the parts anew, with their defaults, and not change what the value points to.
type Variant interface {
	// SetConfigType selects the type. The text of its error is shown as it is, at the "type" key; it is the one that
	// knows which types there are.
	SetConfigType(typ string) error
	// ConfigParts returns pointers to structs that together hold the mapping's keys, "type" included. The structs aren't
	// Variants themselves. Before SetConfigType it may return nil.
	ConfigParts() []any
}

var variantType = reflect.TypeFor[Variant]()

func isVariant(t reflect.Type) bool { return reflect.PointerTo(t).Implements(variantType) }

// partsOf returns the structs that the parts of v point to.
func partsOf(v Variant) ([]reflect.Value, error) {
	var parts []reflect.Value
	for _, p := range v.ConfigParts() {
		part := reflect.ValueOf(p)
		if part.Kind() != reflect.Pointer || part.IsNil() || part.Elem().Kind() != reflect.Struct ||
			isVariant(part.Type().Elem()) {
			return nil, fmt.Errorf("configload: a part of %T must be a pointer to a struct that is no Variant, not %T", v, p)
		}
		if err := checkType(part.Type().Elem()); err != nil {
			return nil, err
		}
		parts = append(parts, part.Elem())
	}
	return parts, nil
}

// addressable returns a copy of v that pointer methods can be called on.
func addressable(v reflect.Value) reflect.Value {
	p := reflect.New(v.Type()).Elem()
	p.Set(v)
	return p
}

func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}
