package configload

import (
	"errors"
	"reflect"
	"slices"
	"strings"
)

// validatable is how a type takes part in validation, without importing this package. The package comment explains it.
type validatable interface{ Validate() error }

// validator calls the Validate methods of a decoded value and gives their errors a place.
type validator struct {
	nodes map[string]*node // by key path
	errs  *Errors
	wrong Errors // what was reported before validation
}

func newValidator(root *node, errs *Errors) *validator {
	v := &validator{nodes: map[string]*node{}, errs: errs, wrong: slices.Clone(*errs)}
	root.walk(func(n *node) { v.nodes[n.key] = n })
	return v
}

// validate checks value, which is addressable, and all in it, the innermost first.
func (v *validator) validate(value reflect.Value, key string) {
	t := value.Type()
	switch {
	case isVariant(t):
		v.variant(value.Addr().Interface().(Variant), key)
	case isScalar(t):
	case t.Kind() == reflect.Pointer:
		if !value.IsNil() {
			v.validate(value.Elem(), key)
		}
	case t.Kind() == reflect.Slice:
		for i := range value.Len() {
			v.validate(value.Index(i), itemKey(key, i))
		}
	case t.Kind() == reflect.Map:
		for _, k := range sortedKeys(value) {
			v.validate(addressable(value.MapIndex(k)), childKey(key, k.String()))
		}
	case t.Kind() == reflect.Struct:
		v.structure(value, key)
	}
}

func (v *validator) structure(value reflect.Value, key string) {
	v.fields(value, key)
	v.call(value.Addr().Interface(), key)
}

func (v *validator) fields(value reflect.Value, key string) {
	validates := reflect.PointerTo(value.Type()).Implements(reflect.TypeFor[validatable]())
	for f := range keyedFields(value.Type()) {
		inner := value.FieldByIndex(f.Index)
		switch {
		case !f.inline:
			v.validate(inner, childKey(key, f.name))
		case f.Anonymous && (validates || !f.IsExported()):
			v.fields(inner, key) // its Validate is the outer one's, promoted, or is shadowed by it
		default:
			v.structure(inner, key)
		}
	}
}

func (v *validator) variant(variant Variant, key string) {
	parts, err := partsOf(variant)
	if err != nil {
		return // before SetConfigType: nothing to check
	}
	for _, part := range parts {
		v.structure(part, key)
	}
	v.call(variant, key)
}

// call validates what p points to.
func (v *validator) call(p any, key string) {
	s, ok := p.(validatable)
	if !ok {
		return
	}
	for _, err := range flatten(s.Validate()) {
		v.report(err, key)
	}
}

func (v *validator) report(err error, key string) {
	e := &Error{Key: key, Msg: err.Error()}
	var p problemer
	if errors.As(err, &p) {
		e.Msg = p.ConfigProblem()
	}
	var k keyed
	if errors.As(err, &k) && k.ConfigKey() != "" {
		e.Key = joinKey(key, k.ConfigKey())
		e.File, e.Line = v.place(e.Key)
		if v.wrong.mayCause(e) {
			return
		}
	} else if v.wrong.inside(key) {
		return // there is no telling which keys it is about
	}
	*v.errs = append(*v.errs, e)
}

// place returns where key is, or where the mapping is that lacks it. A key of the top level that is missing has no place.
func (v *validator) place(key string) (file string, line int) {
	for ; key != ""; key = parentKey(key) {
		if n := v.nodes[key]; n != nil {
			return n.file, n.line
		}
	}
	return "", 0
}

// flatten returns the errors in err's tree that are reported one by one: those that name a key, and those that name none
// but were joined.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if _, ok := err.(keyed); ok { // this very error, not one in its tree
		return []error{err}
	}
	var below []error
	joined := false
	switch x := err.(type) { //nolint:errorlint // walks the tree itself
	case interface{ Unwrap() []error }:
		var texts []string
		for _, e := range x.Unwrap() {
			if e != nil {
				below = append(below, flatten(e)...)
				texts = append(texts, e.Error())
			}
		}
		joined = strings.Join(texts, "\n") == err.Error()
	case interface{ Unwrap() error }:
		below = flatten(x.Unwrap())
	}
	named := slices.ContainsFunc(below, func(e error) bool { var k keyed; return errors.As(e, &k) })
	if named || joined && len(below) > 0 {
		return below
	}
	return []error{err} // whole: what it adds to its causes' text is all there is to say
}
