package configload

import (
	"fmt"
	"reflect"
)

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

// variant decodes a mapping into a Variant.
func (d *decoder) variant(n *node, v Variant) {
	typ := n.child(typeKey)
	if typ == nil {
		typ = &node{kind: scalarKind, file: n.file, line: n.line, key: childKey(n.key, typeKey)}
	}
	switch typ.kind {
	case scalarKind, emptyKind:
	case invalidKind:
		return // without the type there is no telling which keys are right
	default:
		d.errs.report(typ, "must be a single value, not %s", typ.kind)
		return
	}
	if err := v.SetConfigType(typ.text); err != nil {
		d.errs.report(typ, "%s", err)
		return
	}
	parts, err := partsOf(v)
	if err != nil {
		d.misuse = err
		return
	}
	var known []string
	taken := map[string]bool{}
	for _, part := range parts {
		keys := names(fieldsOf(part.Type()))
		known = append(known, keys...)
		mapping := *n
		mapping.entries = nil
		for _, key := range keys {
			if value := n.child(key); value != nil {
				taken[key] = true
				mapping.entries = append(mapping.entries, entry{key, value})
			}
		}
		d.structure(&mapping, part)
	}
	for _, e := range n.entries {
		if !taken[e.name] {
			d.errs.unknownKey(n, e, known)
		}
	}
}

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
