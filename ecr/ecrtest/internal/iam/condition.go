package iam

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

type condition struct {
	operator operator
	set      setOperator
	ifExists bool
	key      string // lower case
	values   []pattern
}

type setOperator uint8

const (
	single setOperator = iota
	forAllValues
	forAnyValue
)

// An operator compares one value of the request with one of the policy. A negated one holds when no value of the policy
// matches.
type operator struct {
	matches  func(p pattern, value string, ctx Context) bool
	negated  bool
	presence bool // Null
}

// lookUpOperator knows the operators of the IAM User Guide, "IAM JSON policy elements: Condition operators".
func lookUpOperator(name string) (operator, bool) {
	text := func(wild, fold, negated bool) (operator, bool) {
		return operator{negated: negated, matches: func(p pattern, v string, ctx Context) bool {
			expanded, ok := p.expand(ctx, wild)
			return ok && match(expanded, runes(v), fold)
		}}, true
	}
	switch strings.ToLower(name) {
	case "stringequals":
		return text(false, false, false)
	case "stringnotequals":
		return text(false, false, true)
	case "stringequalsignorecase":
		return text(false, true, false)
	case "stringnotequalsignorecase":
		return text(false, true, true)
	case "stringlike":
		return text(true, false, false)
	case "stringnotlike":
		return text(true, false, true)
	case "arnequals", "arnlike":
		return operator{matches: matchARN}, true
	case "arnnotequals", "arnnotlike":
		return operator{matches: matchARN, negated: true}, true
	case "bool":
		return operator{matches: func(p pattern, v string, ctx Context) bool {
			want, ok := p.text(ctx)
			return ok && strings.EqualFold(want, v)
		}}, true
	case "null":
		return operator{presence: true}, true
	case "binaryequals":
		return operator{matches: matchBinary}, true
	case "ipaddress":
		return operator{matches: matchAddress}, true
	case "notipaddress":
		return operator{matches: matchAddress, negated: true}, true
	case "numericequals":
		return ordered(compareNumbers, false, 0)
	case "numericnotequals":
		return ordered(compareNumbers, true, 0)
	case "numericlessthan":
		return ordered(compareNumbers, false, -1)
	case "numericlessthanequals":
		return ordered(compareNumbers, false, -1, 0)
	case "numericgreaterthan":
		return ordered(compareNumbers, false, 1)
	case "numericgreaterthanequals":
		return ordered(compareNumbers, false, 1, 0)
	case "dateequals":
		return ordered(compareTimes, false, 0)
	case "datenotequals":
		return ordered(compareTimes, true, 0)
	case "datelessthan":
		return ordered(compareTimes, false, -1)
	case "datelessthanequals":
		return ordered(compareTimes, false, -1, 0)
	case "dategreaterthan":
		return ordered(compareTimes, false, 1)
	case "dategreaterthanequals":
		return ordered(compareTimes, false, 1, 0)
	}
	return operator{}, false
}

// ordered makes an operator that holds when comparing the request's value with the policy's gives one of want.
func ordered(compare func(a, b string) (int, bool), negated bool, want ...int) (operator, bool) {
	return operator{negated: negated, matches: func(p pattern, v string, ctx Context) bool {
		s, ok := p.text(ctx)
		if !ok {
			return false
		}
		got, ok := compare(v, s)
		for _, w := range want {
			if ok && got == w {
				return true
			}
		}
		return false
	}}, true
}

func compareNumbers(a, b string) (int, bool) {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	if err1 != nil || err2 != nil || x != x || y != y { // NaN equals nothing
		return 0, false
	}
	switch {
	case x < y:
		return -1, true
	case x > y:
		return 1, true
	}
	return 0, true
}

func compareTimes(a, b string) (int, bool) {
	x, ok1 := parseTime(a)
	y, ok2 := parseTime(b)
	return x.Compare(y), ok1 && ok2
}

// parseTime reads the forms of ISO 8601 that the W3C profile has, and seconds since 1970.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil && (layout != "2006" || len(s) == 4) {
			return t, true
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(n, 0), true
	}
	return time.Time{}, false
}

func matchAddress(p pattern, v string, ctx Context) bool {
	s, ok := p.text(ctx)
	if !ok {
		return false
	}
	address, err := netip.ParseAddr(v)
	if err != nil {
		return false
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		one, err := netip.ParseAddr(s)
		return err == nil && one.Unmap() == address.Unmap()
	}
	return prefix.Contains(address.Unmap())
}

func matchBinary(p pattern, v string, ctx Context) bool {
	s, ok := p.text(ctx)
	if !ok {
		return false
	}
	x, err1 := base64.StdEncoding.DecodeString(s)
	y, err2 := base64.StdEncoding.DecodeString(v)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// matchARN compares each of the six parts of an ARN on its own, so that * doesn't cross a colon before the last part.
func matchARN(p pattern, v string, ctx Context) bool {
	expanded, ok := p.expand(ctx, true)
	if !ok {
		return false
	}
	want, got := arnParts(expanded), arnParts(runes(v))
	if len(want) != 6 || len(got) != 6 {
		return len(expanded) == 1 && expanded[0] == anyRunes
	}
	for i := range want {
		if !match(want[i], got[i], false) {
			return false
		}
	}
	return true
}

func arnParts(s []rune) [][]rune {
	var parts [][]rune
	start := 0
	for i, r := range s {
		if r == ':' && len(parts) < 5 {
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// text expands p to a plain string.
func (p pattern) text(ctx Context) (string, bool) {
	expanded, ok := p.expand(ctx, false)
	return string(expanded), ok
}

func parseConditions(raw json.RawMessage, variables bool) ([]condition, error) {
	blocks, err := object(raw)
	if err != nil {
		return nil, err
	}
	var out []condition
	for _, block := range blocks {
		name, c := block.name, condition{}
		if prefix, rest, found := strings.Cut(name, ":"); found {
			switch strings.ToLower(prefix) {
			case "forallvalues":
				c.set = forAllValues
			case "foranyvalue":
				c.set = forAnyValue
			default:
				return nil, fmt.Errorf("unknown operator %q", name)
			}
			name = rest
		}
		if len(name) > 8 && strings.EqualFold(name[len(name)-8:], "IfExists") {
			name, c.ifExists = name[:len(name)-8], true
		}
		var known bool
		if c.operator, known = lookUpOperator(name); !known || c.operator.presence && (c.ifExists || c.set != single) {
			return nil, fmt.Errorf("unknown operator %q", block.name)
		}
		keys, err := object(block.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", block.name, err)
		}
		for _, key := range keys {
			values, err := scalars(key.value)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", block.name, key.name, err)
			}
			one := c
			one.key = strings.ToLower(key.name)
			for _, v := range values {
				if c.operator.presence && !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
					return nil, fmt.Errorf("%s: %s: %q must be true or false", block.name, key.name, v)
				}
				one.values = append(one.values, newPattern(v, variables))
			}
			out = append(out, one)
		}
	}
	return out, nil
}

// holds evaluates one condition: the values of a key are alternatives, except that a negated operator asks that none of
// them matches. See the IAM User Guide, "Conditions with multiple context keys or values" and "Set operators for
// multi-valued context keys".
func (c condition) holds(ctx Context) bool {
	values := ctx[c.key].values
	present := len(values) > 0
	if c.operator.presence {
		for _, want := range c.values {
			if strings.EqualFold(want.raw, "true") != present {
				return true
			}
		}
		return false
	}
	if !present {
		switch {
		case c.set == forAllValues, c.ifExists:
			return true
		case c.set == forAnyValue:
			return false
		}
		return c.operator.negated
	}
	matches := func(value string) bool {
		for _, p := range c.values {
			if c.operator.matches(p, value, ctx) {
				return !c.operator.negated
			}
		}
		return c.operator.negated
	}
	// Without a set operator a key has one value; should it have several, a positive operator asks for any of them and
	// a negated one for all, so that neither is satisfied more easily than with one value.
	all := c.set == forAllValues || c.set == single && c.operator.negated
	for _, value := range values {
		if matches(value) != all {
			return !all
		}
	}
	return all
}
