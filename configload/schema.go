package configload

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// VariantTypes is implemented by a [Variant] that can list the types that SetConfigType takes, so that [Schema] has the keys of each.
type VariantTypes interface {
	Variant
	ConfigTypes() []string
}

// Describe says what a struct's field is for, by its name in Go, and with an empty name what the struct is; "" if it doesn't know.
type Describe func(t reflect.Type, field string) string

// Schema returns a JSON Schema of the files that config is loaded from. It is Loader{}.Schema(config, describe).
func Schema(config any, describe Describe) ([]byte, error) { return Loader{}.Schema(config, describe) }

// Schema returns a JSON Schema (draft 7) of the files that a struct is loaded from, for editors and whatever else checks files before they are loaded.
// config is the struct or a pointer to one, which isn't changed: what it holds are the defaults that the schema names. describe, which may be nil, is asked for descriptions.
// Of the loader only Section counts: beside it, and what leads there, everything is fine.
//
// What Load takes, the schema takes: each value may have variables in it, be quoted or not, be empty or null; and nothing is required, as another layer may have it.
// It refuses unknown keys, types and kinds of values, and texts that are no duration, number or boolean. Of a number type with UnmarshalText and MarshalText it names the texts of
// its first values, if those are taken exactly so. Keys of a [Variant] that isn't a [VariantTypes] aren't known, and a struct inside itself isn't looked into again.
//
// Its errors are mistakes of the program, as those of [Loader.Load] that aren't [Errors], and a Section that is no path.
func (l Loader) Schema(config any, describe Describe) ([]byte, error) {
	v := reflect.ValueOf(config)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil, fmt.Errorf("configload: Schema needs a struct or a pointer to one, not %T", config)
	}
	if err := checkType(v.Type()); err != nil {
		return nil, err
	}
	section, problem := sectionWay(l.Section)
	if problem != "" {
		return nil, fmt.Errorf("configload: %s", problem)
	}
	s := schemas{describe: describe}
	if describe == nil {
		s.describe = func(reflect.Type, string) string { return "" }
	}
	whole, err := s.of(addressable(v))
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Backward(section) {
		whole = schema{"type": objectTypes, "properties": schema{name: whole}}
	}
	whole["$schema"] = "http://json-schema.org/draft-07/schema#"
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(whole)
	return text.Bytes(), err
}

// schema is one, or a part of one.
type schema map[string]any

// objectTypes, as each key may be left empty.
var objectTypes = []string{"object", "null"}

// variable is in what may become anything; what is empty is unset.
const variable = `^$|\$[{$]`

// textSchema is that of a text in a certain form.
func textSchema(form string) schema {
	return schema{"type": "string", "pattern": form + "|" + variable}
}

// variableSchema is for what else a value may be.
func variableSchema() schema {
	return anyOf(schema{"type": "null"}, schema{"type": "string", "pattern": variable})
}

func anyOf(alternatives ...schema) schema { return schema{"anyOf": alternatives} }

// scalarSchema is that of a single value, with its default. It is written out each time: what is beside a $ref, editors don't read.
func scalarSchema(v reflect.Value) schema {
	t := v.Type()
	anything := schema{"type": []string{"string", "number", "boolean", "null"}}
	if unmarshalsText(t) { // its default may be a secret
		if texts := textsOf(t); texts != nil {
			return anyOf(schema{"enum": texts}, variableSchema())
		}
		return anything
	}
	const whole = `^-?(0|[1-9][0-9]*)$`
	null, initial := schema{"type": "null"}, v.Interface()
	var s schema
	switch t.Kind() {
	case reflect.String:
		s, initial = anything, escape(v.String())
	case reflect.Bool:
		s = anyOf(schema{"type": "boolean"}, null, textSchema(`^(true|True|TRUE|false|False|FALSE)$`))
	case reflect.Float32, reflect.Float64:
		s = anyOf(schema{"type": "number"}, null, textSchema(`^[-+0-9.eE]+$`))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s = anyOf(schema{"type": "integer", "minimum": 0}, null, textSchema(whole))
	default:
		s = anyOf(schema{"type": "integer"}, null, textSchema(whole))
		if t == durationType {
			s = anyOf(textSchema(`^[-+]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$|^[-+]?0$`), null, schema{"const": 0})
			initial = shortDuration(time.Duration(v.Int()))
		}
	}
	if !v.IsZero() {
		s["default"] = initial
	}
	return s
}

// shortDuration is the duration without the zeros at its end.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// textsOf are the texts of the first values of a number type, if it takes each exactly so; nil for other types.
func textsOf(t reflect.Type) (texts []string) {
	v := reflect.New(t)
	marshaler, ok := v.Interface().(encoding.TextMarshaler)
	if !ok || !v.Elem().CanInt() && !v.Elem().CanUint() {
		return nil
	}
	takes := func(text string) bool {
		return reflect.New(t).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)) == nil
	}
	for n := range 100 {
		v.Elem().Set(reflect.ValueOf(n).Convert(t))
		text, err := marshaler.MarshalText()
		switch other := strings.ToUpper(string(text)); {
		case err == nil && len(text) == 0 && n == 0: // unset
		case err != nil || len(text) == 0:
			return texts
		case !takes(string(text)) || takes(" "+string(text)) || other != string(text) && takes(other):
			return nil
		default:
			texts = append(texts, string(text))
		}
	}
	return nil
}

// schemas makes schemas of values of types that were checked.
type schemas struct {
	describe Describe
	inside   []reflect.Type
}

// of returns the schema of an addressable value.
func (s *schemas) of(v reflect.Value) (schema, error) {
	t := v.Type()
	switch {
	case isVariant(t):
		return s.variant(v)
	case isScalar(t):
		return scalarSchema(v), nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v = reflect.New(t)
			v.Elem().Set(reflect.New(t.Elem()))
			v = v.Elem()
		}
		return s.of(v.Elem())
	case reflect.Slice:
		items, err := s.of(reflect.New(t.Elem()).Elem())
		return schema{"type": []string{"array", "null"}, "items": items}, err
	case reflect.Map:
		values, err := s.of(reflect.New(t.Elem()).Elem())
		return schema{"type": objectTypes, "additionalProperties": values}, err
	}
	if slices.Contains(s.inside, t) {
		return schema{"type": objectTypes}, nil
	}
	s.inside = append(s.inside, t)
	defer func() { s.inside = s.inside[:len(s.inside)-1] }()
	properties, err := s.properties(v)
	return schema{"type": objectTypes, "properties": properties, "additionalProperties": false}, err
}

// properties are those of a struct, each with its description.
func (s *schemas) properties(v reflect.Value) (schema, error) {
	properties := schema{}
	for _, f := range fieldsOf(v.Type()) {
		value := v.FieldByIndex(f.index)
		one, err := s.of(value)
		if err != nil {
			return nil, err
		}
		around := v.Type()
		if last := len(f.index) - 1; last > 0 { // the inline struct that has the field
			around = around.FieldByIndex(f.index[:last]).Type
		}
		description := s.describe(around, v.Type().FieldByIndex(f.index).Name)
		if inner := structOf(value.Type()); description == "" && inner != nil {
			description = s.describe(inner, "")
		}
		if description != "" {
			one["description"] = description
		}
		properties[f.name] = one
	}
	return properties, nil
}

// structOf is the struct that a value of t is, or is a list or map of; nil for others.
func structOf(t reflect.Type) reflect.Type {
	for !isScalar(t) && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map) {
		t = t.Elem()
	}
	if isScalar(t) || t.Kind() != reflect.Struct {
		return nil
	}
	return t
}

// variant is the schema of a mapping whose keys depend on its type. Where a file has none, or a variable, the keys of each type are fine.
func (s *schemas) variant(v reflect.Value) (schema, error) {
	variant, ok := v.Addr().Interface().(VariantTypes)
	if !ok {
		return schema{"type": objectTypes}, nil
	}
	types := variant.ConfigTypes()
	typ, all := schema{}, schema{}
	known := map[string]*alternatives{}
	var cases []schema
	is := func(condition schema) schema {
		return schema{"properties": schema{typeKey: condition}, "required": []string{typeKey}}
	}
	for _, name := range types {
		properties, err := s.partsOf(addressable(v), name)
		if err != nil {
			return nil, err
		}
		if described, ok := properties[typeKey].(schema); ok && described["description"] != nil {
			typ["description"] = described["description"]
		}
		properties[typeKey] = schema{}
		cases = append(cases, schema{"if": is(schema{"const": name}), "then": schema{"properties": properties, "additionalProperties": false}})
		for key, one := range properties {
			if known[key] == nil {
				known[key] = &alternatives{}
			}
			known[key].add(name, one)
		}
	}
	for key, a := range known {
		all[key] = a.schema()
	}
	cases = append(cases, schema{"if": schema{"not": is(schema{"enum": types})}, "then": schema{"properties": all, "additionalProperties": false}})
	typ["anyOf"] = []schema{{"enum": types}, variableSchema()}
	return schema{"type": objectTypes, "properties": schema{typeKey: typ}, "allOf": cases}, nil
}

// partsOf are the properties of all parts of a variant, which is a copy, once its type is known.
func (s *schemas) partsOf(v reflect.Value, typ string) (schema, error) {
	variant, ok := v.Addr().Interface().(Variant)
	if !ok {
		return nil, fmt.Errorf("configload: %s is no Variant", v.Type())
	}
	if err := variant.SetConfigType(typ); err != nil {
		return nil, fmt.Errorf("configload: %s doesn't take the type %q that it lists", v.Type(), typ)
	}
	parts, err := partsOf(variant)
	if err != nil {
		return nil, err
	}
	properties := schema{}
	for _, part := range parts {
		more, err := s.properties(part)
		if err != nil {
			return nil, err
		}
		for key, one := range more {
			if _, there := properties[key]; !there {
				properties[key] = one
			}
		}
	}
	return properties, nil
}

// alternatives are what a key is in several types.
type alternatives struct {
	schemas      []any
	descriptions []string // with their types
}

func (a *alternatives) add(typ string, one any) {
	if !slices.ContainsFunc(a.schemas, func(other any) bool { return reflect.DeepEqual(other, one) }) {
		a.schemas = append(a.schemas, one)
	}
	if s, ok := one.(schema); ok && s["description"] != nil {
		a.descriptions = append(a.descriptions, fmt.Sprintf("%s: %s", typ, s["description"]))
	}
}

// schema is that of the key where the type isn't known.
func (a *alternatives) schema() any {
	if len(a.schemas) == 1 {
		return a.schemas[0]
	}
	s := schema{"anyOf": a.schemas}
	if len(a.descriptions) > 0 {
		s["description"] = strings.Join(a.descriptions, "\n\n")
	}
	return s
}
