package configload

import (
	"encoding"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setScalar returns what would be right when text isn't.
func setScalar(to reflect.Value, text string) (problem string) {
	t := to.Type()
	if unmarshalsText(t) {
		return setText(to, text)
	}
	if t == durationType {
		return setDuration(to, text)
	}
	switch t.Kind() {
	case reflect.String:
		to.SetString(text)
	case reflect.Bool:
		switch text {
		case "true", "True", "TRUE":
			to.SetBool(true)
		case "false", "False", "FALSE":
			to.SetBool(false)
		default:
			return "must be true or false"
		}
	case reflect.Float32, reflect.Float64:
		return setFloat(to, text)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return setUint(to, text)
	default:
		return setInt(to, text)
	}
	return ""
}

// setText decodes into a new value: the default's UnmarshalText could change what the default points to.
func setText(to reflect.Value, text string) string {
	v := reflect.New(to.Type())
	if err := v.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		var p problemer
		if errors.As(err, &p) {
			return p.ConfigProblem()
		}
		return "not a valid " + to.Type().String() // err's text may quote the value
	}
	to.Set(v.Elem())
	return ""
}

func setDuration(to reflect.Value, text string) string {
	const example = "a duration with a unit, such as 90s, 15m or 1h30m"
	v, err := time.ParseDuration(text)
	switch {
	case err == nil:
		to.SetInt(int64(v))
		return ""
	case wholeNumber(strings.TrimPrefix(text, "-")):
		return "has no unit; write " + example
	default:
		return "must be " + example
	}
}

func setInt(to reflect.Value, text string) string {
	if !wholeNumber(strings.TrimPrefix(text, "-")) {
		return "must be a whole number, in decimal digits without leading zeros"
	}
	bits := to.Type().Bits()
	v, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		largest := int64(1)<<(bits-1) - 1
		return "must be between " + strconv.FormatInt(-largest-1, 10) + " and " + strconv.FormatInt(largest, 10)
	}
	to.SetInt(v)
	return ""
}

func setUint(to reflect.Value, text string) string {
	digits, negative := strings.CutPrefix(text, "-")
	if !wholeNumber(digits) {
		return "must be a whole number, in decimal digits without leading zeros"
	}
	bits := to.Type().Bits()
	v, err := strconv.ParseUint(digits, 10, bits)
	if err != nil || negative && v != 0 {
		return "must be between 0 and " + strconv.FormatUint(1<<bits-1, 10)
	}
	to.SetUint(v)
	return ""
}

func setFloat(to reflect.Value, text string) string {
	// Not what strconv accepts besides: hexadecimal, underscores, infinity and NaN.
	if strings.Trim(text, "0123456789+-.eE") != "" {
		return "must be a number"
	}
	v, err := strconv.ParseFloat(text, to.Type().Bits())
	switch {
	case errors.Is(err, strconv.ErrRange):
		return "must be a number of smaller magnitude"
	case err != nil:
		return "must be a number"
	}
	to.SetFloat(v)
	return ""
}

// wholeNumber reports whether text is decimal without leading zeros: 0123 is 83 to some and 123 to others.
func wholeNumber(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == "" && (len(text) == 1 || text[0] != '0')
}
