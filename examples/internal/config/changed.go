package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/configload"
)

// Changed returns the keys of which two configurations have different values, in the order of the configuration, and none of the values: the innermost
// key of each, or that of a list of another length, of a mapping with names of its own, and of a section of another type.
func Changed(a, b Config) []string {
	var keys []string
	compare("", reflect.ValueOf(&a).Elem(), reflect.ValueOf(&b).Elem(), func(key string) { keys = append(keys, key) })
	return keys
}

// Below reports whether a key is that one, or one inside of it.
func Below(key, section string) bool {
	rest, ok := strings.CutPrefix(key, section)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

func compare(key string, a, b reflect.Value, differs func(key string)) {
	if v, ok := addressed(a).(configload.Variant); ok {
		w := addressed(b).(configload.Variant)
		compareParts(key, v.ConfigParts(), w.ConfigParts(), differs)
		return
	}
	if equal, ok := equalBy(a, b); ok {
		if !equal {
			differs(key)
		}
		return
	}
	switch a.Kind() {
	case reflect.Struct:
		compareFields(key, a, b, differs)
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			if a.IsNil() != b.IsNil() {
				differs(key)
			}
			return
		}
		compare(key, a.Elem(), b.Elem(), differs)
	case reflect.Slice:
		if a.Len() != b.Len() {
			differs(key)
			return
		}
		for i := range a.Len() {
			compare(fmt.Sprintf("%s[%d]", key, i), a.Index(i), b.Index(i), differs)
		}
	case reflect.Map:
		if !equalMaps(a, b) {
			differs(key)
		}
	default:
		if !reflect.DeepEqual(a.Interface(), b.Interface()) {
			differs(key)
		}
	}
}

// addressed is a pointer to v, or to a copy: methods of sections have pointers.
func addressed(v reflect.Value) any {
	if !v.CanAddr() {
		whole := reflect.New(v.Type())
		whole.Elem().Set(v)
		return whole.Interface()
	}
	return v.Addr().Interface()
}

func compareParts(key string, a, b []any, differs func(key string)) {
	same := len(a) == len(b)
	for i := 0; same && i < len(a); i++ {
		same = reflect.TypeOf(a[i]) == reflect.TypeOf(b[i])
	}
	if !same {
		differs(join(key, "type"))
		return
	}
	for i := range a {
		compare(key, reflect.ValueOf(a[i]), reflect.ValueOf(b[i]), differs)
	}
}

// equalBy compares by a method Equal, if there is one: what a secret holds shows in no other way.
func equalBy(a, b reflect.Value) (equal, ok bool) {
	method := a.MethodByName("Equal")
	if !method.IsValid() {
		return false, false
	}
	if t := method.Type(); t.NumIn() != 1 || t.In(0) != a.Type() || t.NumOut() != 1 || t.Out(0).Kind() != reflect.Bool {
		return false, false
	}
	return method.Call([]reflect.Value{b})[0].Bool(), true
}

// compareFields compares structs by their keys, as configload has them. One without any is compared as a whole.
func compareFields(key string, a, b reflect.Value, differs func(key string)) {
	known := false
	for i := range a.NumField() {
		field := a.Type().Field(i)
		tag := field.Tag.Get("yaml")
		name, options, _ := strings.Cut(tag, ",")
		inline := slices.Contains(strings.Split(options, ","), "inline")
		switch {
		case !field.IsExported() && (!field.Anonymous || !inline):
		case tag == "-":
			known = true
		case inline:
			known = true
			compareFields(key, a.Field(i), b.Field(i), differs)
		default:
			known = true
			compare(join(key, cmp.Or(name, strings.ToLower(field.Name))), a.Field(i), b.Field(i), differs)
		}
	}
	if !known && a.CanInterface() && !reflect.DeepEqual(a.Interface(), b.Interface()) {
		differs(key)
	}
}

func equalMaps(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for _, k := range a.MapKeys() {
		other := b.MapIndex(k)
		if !other.IsValid() {
			return false
		}
		equal := true
		compare("", a.MapIndex(k), other, func(string) { equal = false })
		if !equal {
			return false
		}
	}
	return true
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}
