package configload

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Error is one mistake in the configuration: where it is and what would be right.
//
// No field holds a configured value or the value of a variable. Two texts come from the configuration's author and are
// shown as they are: the message of ${VAR:?message}, and what a [Variant] says about an unknown type.
type Error struct {
	File string // the file as it was opened, such as "config/local.yaml"; "" when the mistake is in no single file
	Line int    // counted from 1; 0 when no line applies
	Key  string // the key path, such as "registry.tokens[2].access"; "" for a mistake of a whole file
	Msg  string // what is wrong and what would be right

	cause error  // for errors.Is, such as fs.ErrNotExist; never printed
	meant string // of an unknown key: the key path that was probably meant and isn't there, or ""
}

// Error returns "config/local.yaml:12: registry.session_duration: <msg>" without the parts that are absent.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			b.WriteString(":" + strconv.Itoa(e.Line))
		}
		b.WriteString(": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Msg)
	return b.String()
}

// Unwrap returns the cause, which is set for files that can't be read: errors.Is(err, fs.ErrNotExist) works.
func (e *Error) Unwrap() error { return e.cause }

// Errors holds all mistakes of one load in the order of file, line and key path, those without a file last. It is never
// empty when it is returned as an error.
type Errors []*Error

// Error returns one mistake a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives [errors.Is] and [errors.As] each mistake.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, err := range e {
		errs[i] = err
	}
	return errs
}

// report adds a mistake at n.
func (e *Errors) report(n *node, format string, args ...any) {
	*e = append(*e, &Error{File: n.file, Line: n.line, Key: n.key, Msg: fmt.Sprintf(format, args...)})
}

// unknownKey adds that key, an entry of mapping, is none of the known ones, which are in the order of the fields.
func (e *Errors) unknownKey(mapping *node, key entry, known []string) {
	err := &Error{File: key.value.file, Line: key.value.line, Key: key.value.key}
	near := nearest(key.name, known)
	switch {
	case len(known) == 0:
		err.Msg = "unknown key; no key is possible here"
	case near != "":
		err.Msg = "unknown key; did you mean " + strconv.Quote(near) + "?"
		if mapping.child(near) == nil {
			err.meant = childKey(mapping.key, near)
		}
	default:
		err.Msg = "unknown key; the known ones are " + strings.Join(known, ", ")
	}
	*e = append(*e, err)
}

// inside reports whether any mistake is at key or below it.
func (e Errors) inside(key string) bool {
	return slices.ContainsFunc(e, func(err *Error) bool { return within(err.Key, key) })
}

// mayCause reports whether what err, an error of Validate, says may be so only because of one of the mistakes: values that weren't
// decoded are at their defaults. That is so where it is about the same key or names it.
func (e Errors) mayCause(err *Error) bool {
	return slices.ContainsFunc(e, func(mistake *Error) bool {
		return err.touches(mistake.Key) || mistake.meant != "" && err.touches(mistake.meant)
	})
}

// touches reports whether e is about key, what is in it or around it, or names it.
func (e *Error) touches(key string) bool {
	return within(e.Key, key) || within(key, e.Key) ||
		slices.ContainsFunc(namesFrom(e.Key, key), func(name string) bool { return hasWord(e.Msg, name) })
}

// sorted returns the mistakes in their final order, each once.
func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b *Error) int {
		if (a.File == "") != (b.File == "") {
			return cmp.Compare(len(b.File), len(a.File)) // one of them is 0: it goes last
		}
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return slices.CompactFunc(e, func(a, b *Error) bool { return a.Error() == b.Error() })
}

// The methods by which an error of another package says what it is about, without importing this one. The package comment explains them.
type (
	keyed     interface{ ConfigKey() string }
	problemer interface{ ConfigProblem() string }
)
