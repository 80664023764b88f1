package configload

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Marshal returns the configuration v, a struct or a pointer to one, as YAML that Load reads back: the same keys, in the
// order of the fields, a [Variant] as the one mapping of its parts, a $ doubled where Load would substitute. It is meant
// for showing a service's resolved configuration.
//
// A type with UnmarshalText is written as its MarshalText says and must have that method, so that a secret's type decides
// what is shown. Strings of type string are shown. Nil pointers and Variants without parts are left out.
//
// The errors are mistakes of the program: a type that can't be configured, a MarshalText that fails, a string that isn't
// UTF-8.
func Marshal(v any) ([]byte, error) {
	value := reflect.ValueOf(v)
	for value.Kind() == reflect.Pointer && !value.IsNil() {
		value = value.Elem()
	}
	if value.Kind() != reflect.Struct {
		return nil, fmt.Errorf("configload: Marshal needs a struct or a pointer to one, not %T", v)
	}
	if err := checkType(value.Type()); err != nil {
		return nil, err
	}
	if !value.CanAddr() {
		value = addressable(value)
	}
	root, err := marshal(value, "")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	dumper, err := yaml.NewDumper(&out, yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, fmt.Errorf("configload: %w", err)
	}
	if err := dumper.Dump(root); err != nil {
		return nil, fmt.Errorf("configload: %w", err)
	}
	if err := dumper.Close(); err != nil {
		return nil, fmt.Errorf("configload: %w", err)
	}
	return out.Bytes(), nil
}

// marshal returns the node for v, which is addressable, or nil for what is left out.
func marshal(v reflect.Value, key string) (*yaml.Node, error) {
	t := v.Type()
	switch {
	case isVariant(t):
		return marshalVariant(v.Addr().Interface().(Variant), key)
	case isScalar(t):
		n, err := marshalScalar(v)
		if err == nil && !utf8.ValidString(n.Value) {
			err = errors.New("not UTF-8")
		}
		if err != nil {
			return nil, fmt.Errorf("configload: %s: %w", key, err)
		}
		return n, nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return marshal(v.Elem(), key)
	case reflect.Slice:
		return marshalSlice(v, key)
	case reflect.Map:
		return marshalMap(v, key)
	default:
		n := &yaml.Node{Kind: yaml.MappingNode}
		return n, appendFields(n, v, key)
	}
}

func marshalSlice(v reflect.Value, key string) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range v.Len() {
		item, err := marshal(v.Index(i), itemKey(key, i))
		if err != nil {
			return nil, err
		}
		if item == nil {
			return nil, fmt.Errorf("configload: %s: an element without a value can't be written", itemKey(key, i))
		}
		n.Content = append(n.Content, item)
	}
	if len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n, nil
}

func marshalMap(v reflect.Value, key string) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, k := range sortedKeys(v) {
		name := k.String()
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("configload: %s: a key is not UTF-8", key)
		}
		value, err := marshal(addressable(v.MapIndex(k)), childKey(key, name))
		if err != nil {
			return nil, err
		}
		if value != nil {
			n.Content = append(n.Content, stringNode(name), value)
		}
	}
	if len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n, nil
}

func marshalVariant(variant Variant, key string) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	parts, err := partsOf(variant)
	if err != nil || len(parts) == 0 {
		return nil, err
	}
	for _, part := range parts {
		if err := appendFields(n, part, key); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// appendFields adds a struct's keys to n, those that n has already apart: parts may share keys such as "type".
func appendFields(n *yaml.Node, v reflect.Value, key string) error {
	present := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		present[n.Content[i].Value] = true
	}
	for _, f := range fieldsOf(v.Type()) {
		if present[f.name] {
			continue
		}
		value, err := marshal(v.FieldByIndex(f.index), childKey(key, f.name))
		if err != nil {
			return err
		}
		if value != nil {
			n.Content = append(n.Content, stringNode(f.name), value)
		}
	}
	if len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	return nil
}

// marshalScalar returns the node whose text setScalar reads back.
func marshalScalar(v reflect.Value) (*yaml.Node, error) {
	t := v.Type()
	if unmarshalsText(t) || reflect.PointerTo(t).Implements(textMarshalerType) {
		m, ok := v.Addr().Interface().(encoding.TextMarshaler)
		if !ok { // its own representation isn't ours to show: it may be a secret
			return nil, fmt.Errorf("type %s has UnmarshalText but no MarshalText", t)
		}
		text, err := m.MarshalText()
		if err != nil {
			return nil, fmt.Errorf("MarshalText of %s failed", t) // its text may quote the value
		}
		return stringNode(escape(string(text))), nil
	}
	var text string
	switch t.Kind() {
	case reflect.String:
		return stringNode(escape(v.String())), nil
	case reflect.Bool:
		text = strconv.FormatBool(v.Bool())
	case reflect.Float32, reflect.Float64:
		text = strconv.FormatFloat(v.Float(), 'g', -1, t.Bits())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		text = strconv.FormatUint(v.Uint(), 10)
	default:
		text = strconv.FormatInt(v.Int(), 10)
		if t == durationType {
			text = time.Duration(v.Int()).String()
		}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: text}, nil
}

// stringNode returns a node that YAML reads back as the string text, YAML 1.1 included. The library quotes on its own what
// YAML 1.2 would read as something else.
func stringNode(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if oldBool(text) || strings.Trim(text, "0123456789_:.+-") == "" && text != "" {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// oldBool reports whether text is a boolean to YAML 1.1.
func oldBool(text string) bool {
	switch strings.ToLower(text) {
	case "y", "n", "yes", "no", "on", "off":
		return true
	default:
		return false
	}
}

// escape doubles each $ that substitution would not leave alone.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteByte(text[i])
		if text[i] == '$' && i+1 < len(text) && (text[i+1] == '$' || text[i+1] == '{') {
			b.WriteByte('$')
		}
	}
	return b.String()
}
