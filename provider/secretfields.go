package provider

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// validateSection returns what the Validate method of a section says, a pointer to a struct, and what is wrong with the secrets in
// it, as [*ConfigError] values, where that doesn't say so.
func validateSection(section any) error {
	var own error
	if v, ok := section.(interface{ Validate() error }); ok {
		own = v.Validate()
	}
	fields := secretFields{seen: map[any]bool{}}
	fields.check(reflect.ValueOf(section), "")
	var errs []error
	for _, err := range fields.errs {
		if !hasKey(own, err.Key) {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		return own
	}
	return errors.Join(append(errs, own)...)
}

// hasKey reports whether one of the errors in err's tree is about key.
func hasKey(err error, key string) bool {
	if e, ok := err.(*ConfigError); ok { //nolint:errorlint // walks the tree itself
		return e.Key == key
	}
	switch x := err.(type) { //nolint:errorlint // likewise
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(x.Unwrap(), func(e error) bool { return hasKey(e, key) })
	case interface{ Unwrap() error }:
		return hasKey(x.Unwrap(), key)
	}
	return false
}

// secretFields applies the rule to each Secret in a section.
type secretFields struct {
	errs []*ConfigError
	seen map[any]bool // what pointers lead to may lead back
}

// check looks into v, whose key path is key as configload writes it.
func (f *secretFields) check(v reflect.Value, key string) {
	if v.Type() == reflect.TypeFor[Secret]() {
		if err := v.Interface().(Secret).Validate(); err != nil {
			f.errs = append(f.errs, &ConfigError{Key: key, Problem: err.Error()})
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if f.first(v, 1) {
			f.check(v.Elem(), key)
		}
	case reflect.Slice:
		if f.first(v, v.Len()) {
			for i := range v.Len() {
				f.check(v.Index(i), fmt.Sprintf("%s[%d]", key, i))
			}
		}
	case reflect.Map:
		if f.first(v, v.Len()) {
			for k, value := range v.Seq2() {
				f.check(value, mapKey(key, k.String()))
			}
		}
	case reflect.Struct:
		f.structure(v, key)
	}
}

func (f *secretFields) structure(v reflect.Value, key string) {
	for field, value := range v.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		inline := slices.Contains(strings.Split(options, ","), "inline")
		switch {
		case name == "-" || !field.IsExported() && (!inline || !field.Anonymous):
		case inline:
			f.check(value, key)
		default:
			f.check(value, strings.TrimPrefix(key+"."+cmp.Or(name, strings.ToLower(field.Name)), "."))
		}
	}
}

// first reports whether what v points to is there and hasn't been looked into.
func (f *secretFields) first(v reflect.Value, n int) bool {
	at := [...]any{v.Pointer(), v.Type(), n}
	if v.IsNil() || f.seen[at] {
		return false
	}
	f.seen[at] = true
	return true
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func mapKey(key, name string) string {
	if plainKey.MatchString(name) {
		return key + "." + name
	}
	return fmt.Sprintf("%s[%q]", key, name)
}
