package configload_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
)

// height is a number with texts, which it takes exactly; grade takes them in any case.
type (
	height uint8
	grade  int
)

var heights = []string{"", "low", "high"}

func (l height) MarshalText() ([]byte, error) {
	if int(l) >= len(heights) {
		return nil, errors.New("unknown")
	}
	return []byte(heights[l]), nil
}

func (l *height) UnmarshalText(text []byte) error {
	for i, one := range heights[1:] {
		if one == string(text) {
			*l = height(i + 1)
			return nil
		}
	}
	return errors.New("unknown")
}

func (grade) MarshalText() ([]byte, error) { return []byte("a"), nil }
func (*grade) UnmarshalText([]byte) error  { return nil }

// engine is a Variant that lists its types.
type engine struct {
	common struct {
		Type string `yaml:"type"`
		Name string `yaml:"name"`
	}
	part  any
	types []string
}

type petrol struct {
	Octane int    `yaml:"octane"`
	Tank   string `yaml:"tank"`
}

type electric struct {
	Volt int  `yaml:"volt"`
	Tank bool `yaml:"tank"`
}

func (e *engine) SetConfigType(typ string) error {
	switch typ {
	case "petrol":
		e.part = &petrol{Octane: 95}
	case "electric":
		e.part = &electric{}
	default:
		return errors.New("unknown")
	}
	return nil
}

func (e *engine) ConfigParts() []any    { return []any{&e.common, e.part} }
func (e *engine) ConfigTypes() []string { return e.types }

type doors struct {
	Doors int `yaml:"doors"`
}

type car struct {
	doors  `yaml:",inline"`
	Name   string            `yaml:"name"`
	Key    secret            `yaml:"key"`
	Level  height            `yaml:"level"`
	Grade  grade             `yaml:"grade"`
	Weight float64           `yaml:"weight"`
	Wheels uint              `yaml:"wheels"`
	Rest   *time.Duration    `yaml:"rest"`
	Tags   map[string]string `yaml:"tags"`
	Spare  []*car            `yaml:"spare"`
	Engine engine            `yaml:"engine"`
	Shape  shape             `yaml:"shape"`
	Hidden chan int          `yaml:"-"`
}

func describeCar(t reflect.Type, field string) string {
	switch {
	case field == "Doors":
		return "how many in a " + t.Name()
	case field == "Type", field == "Tank", field == "" && t.Name() == "car":
		return "of " + t.Name()
	}
	return ""
}

// parsed is a schema as other programs read it.
func parsed(t *testing.T, text []byte, err error) map[string]any {
	t.Helper()
	require.NoError(t, err)
	var s map[string]any
	require.NoError(t, json.Unmarshal(text, &s))
	return s
}

// at is what is below some keys.
func at(t *testing.T, s any, keys ...any) any {
	t.Helper()
	for _, key := range keys {
		switch key := key.(type) {
		case string:
			object, ok := s.(map[string]any)
			require.True(t, ok && object[key] != nil, "%v of %v", key, s)
			s = object[key]
		case int:
			s = s.([]any)[key]
		}
	}
	return s
}

func TestSchema(t *testing.T) {
	t.Parallel()
	config := car{
		doors: doors{4}, Name: "${a}", Key: secret{func() string { return "s3cret" }}, Weight: 1.5, Rest: new(90 * time.Minute), Engine: engine{types: []string{"electric", "petrol"}},
	}
	text, err := configload.Schema(&config, describeCar)
	require.NotContains(t, string(text), "s3cret")
	s := parsed(t, text, err)
	require.Nil(t, config.Engine.part, "what was given isn't changed")
	for name, want := range map[string]string{
		"doors":  `{"anyOf":[{"type":"integer"},{"type":"null"},{"type":"string","pattern":"^-?(0|[1-9][0-9]*)$|^$|\\$[{$]"}],"default":4,"description":"how many in a doors"}`,
		"name":   `{"type":["string","number","boolean","null"],"default":"$${a}"}`,
		"key":    `{"type":["string","number","boolean","null"]}`,
		"grade":  `{"type":["string","number","boolean","null"]}`,
		"level":  `{"anyOf":[{"enum":["low","high"]},{"anyOf":[{"type":"null"},{"type":"string","pattern":"^$|\\$[{$]"}]}]}`,
		"weight": `{"anyOf":[{"type":"number"},{"type":"null"},{"type":"string","pattern":"^[-+0-9.eE]+$|^$|\\$[{$]"}],"default":1.5}`,
		"wheels": `{"anyOf":[{"type":"integer","minimum":0},{"type":"null"},{"type":"string","pattern":"^-?(0|[1-9][0-9]*)$|^$|\\$[{$]"}]}`,
		"tags":   `{"type":["object","null"],"additionalProperties":{"type":["string","number","boolean","null"]}}`,
		"spare":  `{"type":["array","null"],"items":{"type":["object","null"]},"description":"of car"}`,
		"shape":  `{"type":["object","null"]}`,
	} {
		found, err := json.Marshal(at(t, s, "properties", name))
		require.NoError(t, err)
		require.JSONEq(t, want, string(found), name)
	}
	require.Equal(t, "1h30m", at(t, s, "properties", "rest", "default"))
	require.Len(t, at(t, s, "properties"), 12)
	require.Equal(t, false, at(t, s, "additionalProperties"))

	engine := at(t, s, "properties", "engine")
	require.Equal(t, []any{"electric", "petrol"}, at(t, engine, "properties", "type", "anyOf", 0, "enum"))
	cases := at(t, engine, "allOf").([]any)
	require.Len(t, cases, 3)
	for i, want := range []string{"electric", "petrol"} {
		require.Equal(t, want, at(t, cases[i], "if", "properties", "type", "const"))
	}
	keys := func(s any) (all []string) {
		for key := range s.(map[string]any) {
			all = append(all, key)
		}
		return all
	}
	require.ElementsMatch(t, []string{"type", "name", "volt", "tank"}, keys(at(t, cases[0], "then", "properties")))
	require.ElementsMatch(t, []string{"type", "name", "octane", "tank"}, keys(at(t, cases[1], "then", "properties")))
	require.EqualValues(t, 95, at(t, cases[1], "then", "properties", "octane", "default"))
	require.ElementsMatch(t, []string{"type", "name", "octane", "volt", "tank"}, keys(at(t, cases[2], "then", "properties")))
	require.Equal(t, "electric: of electric\n\npetrol: of petrol", at(t, cases[2], "then", "properties", "tank", "description"))
	require.Len(t, at(t, cases[2], "then", "properties", "tank", "anyOf"), 2)

	// A section, in files that have more; and a Variant that is all there is.
	text, err = configload.Loader{Section: "a.b"}.Schema(engineOf("petrol"), nil)
	s = parsed(t, text, err)
	require.Nil(t, s["additionalProperties"])
	require.Equal(t, "petrol", at(t, s, "properties", "a", "properties", "b", "allOf", 0, "if", "properties", "type", "const"))
}

func engineOf(types ...string) *engine { return &engine{types: types} }

func TestSchemaMisuse(t *testing.T) {
	t.Parallel()
	for want, schema := range map[string]func() ([]byte, error){
		"needs a struct":                      func() ([]byte, error) { return configload.Schema(5, nil) },
		"can't be configured":                 func() ([]byte, error) { return configload.Schema(struct{ C chan int }{}, nil) },
		"the section must be keys":            func() ([]byte, error) { return configload.Loader{Section: "a b"}.Schema(car{}, nil) },
		`doesn't take the type "steam" that`:  func() ([]byte, error) { return configload.Schema(engineOf("petrol", "steam"), nil) },
		"Schema needs a struct or a pointer ": func() ([]byte, error) { return configload.Schema((*car)(nil), nil) },
	} {
		_, err := schema()
		require.ErrorContains(t, err, want)
	}
}

// A schema for an editor: put it into a file, and begin a configuration with a comment
//
//	# yaml-language-server: $schema=config.schema.json
func ExampleSchema() {
	type Config struct {
		Timeout time.Duration `yaml:"timeout"`
	}
	text, err := configload.Schema(Config{Timeout: 30 * time.Second}, func(_ reflect.Type, field string) string {
		return map[string]string{"Timeout": "How long a request may take."}[field]
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(text))
	// Output:
	// {
	//   "$schema": "http://json-schema.org/draft-07/schema#",
	//   "additionalProperties": false,
	//   "properties": {
	//     "timeout": {
	//       "anyOf": [
	//         {
	//           "pattern": "^[-+]?(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$|^[-+]?0$|^$|\\$[{$]",
	//           "type": "string"
	//         },
	//         {
	//           "type": "null"
	//         },
	//         {
	//           "const": 0
	//         }
	//       ],
	//       "default": "30s",
	//       "description": "How long a request may take."
	//     }
	//   },
	//   "type": [
	//     "object",
	//     "null"
	//   ]
	// }
}
