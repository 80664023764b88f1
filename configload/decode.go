package configload

import (
	"reflect"
	"slices"
)

// decoder fills Go values from the merged tree, each by its own type. What a default shares with others (pointers, maps,
// slices) is copied before it is changed.
type decoder struct {
	errs   *Errors
	misuse error // a mistake in the program
}

// decode fills to, which is settable and of a type that checkType accepts, from n.
func (d *decoder) decode(n *node, to reflect.Value) {
	t := to.Type()
	switch {
	case n.kind == emptyKind && !n.element: // keeps the default
	case n.kind == invalidKind: // has been reported
		if n.element && t.Kind() == reflect.Pointer {
			to.Set(reflect.New(t.Elem())) // Validate methods needn't expect elements that are nil
		}
	case isScalar(t):
		d.scalar(n, to)
	case t.Kind() == reflect.Pointer:
		d.pointer(n, to)
	case t.Kind() == reflect.Slice:
		d.slice(n, to)
	case !d.expect(n, mappingKind):
	case isVariant(t):
		d.variant(n, to.Addr().Interface().(Variant))
	case t.Kind() == reflect.Map:
		d.mapping(n, to)
	default:
		d.structure(n, to)
	}
}

// expect reports whether n is of kind k, and the mistake if it isn't.
func (d *decoder) expect(n *node, k kind) bool {
	switch n.kind {
	case k:
		return true
	case nullKind, emptyKind: // only elements of sequences
		d.errs.report(n, "an element can't be empty or null; remove it or give it a value")
	default:
		d.errs.report(n, "must be %s, not %s", k, n.kind)
	}
	return false
}

// scalar fills to, of a type that isScalar accepts, by its type from n's text.
func (d *decoder) scalar(n *node, to reflect.Value) {
	if !d.expect(n, scalarKind) || n.unset() {
		return
	}
	if problem := setScalar(to, n.text); problem != "" {
		d.errs.report(n, "%s", problem)
	}
}

func (d *decoder) pointer(n *node, to reflect.Value) {
	if n.unset() && isScalar(to.Type().Elem()) {
		return
	}
	p := reflect.New(to.Type().Elem())
	if !to.IsNil() {
		p.Elem().Set(to.Elem())
	}
	d.decode(n, p.Elem())
	to.Set(p)
}

// slice replaces: no element of the default, nor a field of one, is left.
func (d *decoder) slice(n *node, to reflect.Value) {
	if !d.expect(n, sequenceKind) {
		return
	}
	var elements reflect.Value
	if len(n.items) == 0 {
		elements = reflect.Zero(to.Type())
	} else {
		elements = reflect.MakeSlice(to.Type(), len(n.items), len(n.items))
	}
	for i, item := range n.items {
		d.decode(item, elements.Index(i))
	}
	to.Set(elements)
}

// mapping merges, as the layers do: the default's entries are the lowest layer.
func (d *decoder) mapping(n *node, to reflect.Value) {
	entries := slices.DeleteFunc(slices.Clone(n.entries), func(e entry) bool { return e.value.kind == emptyKind })
	if len(entries) == 0 {
		return
	}
	merged := reflect.MakeMap(to.Type())
	for k, v := range to.Seq2() {
		merged.SetMapIndex(k, v)
	}
	for _, e := range entries {
		key := reflect.ValueOf(e.name).Convert(to.Type().Key())
		value := reflect.New(to.Type().Elem()).Elem()
		if inherited := merged.MapIndex(key); inherited.IsValid() {
			value.Set(inherited)
		}
		e.value.element = true
		d.decode(e.value, value)
		merged.SetMapIndex(key, value)
	}
	to.Set(merged)
}

func (d *decoder) structure(n *node, to reflect.Value) {
	fields := fieldsOf(to.Type())
	for _, e := range n.entries {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == e.name })
		if i < 0 {
			d.errs.unknownKey(n, e, names(fields))
			continue
		}
		d.decode(e.value, to.FieldByIndex(fields[i].index))
	}
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
