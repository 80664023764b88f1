package configload_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
)

// shape is a Variant with a rule across its parts.
type shape struct {
	Common shapeCommon
	Part   any
	calls  *[]string
}

type shapeCommon struct {
	Type  string `yaml:"type"`
	Color string `yaml:"color"`
}

func (c *shapeCommon) Validate() error {
	if c.Color == "" {
		return problem{"color", "is required"}
	}
	return nil
}

type circle struct {
	Type   string `yaml:"type"` // two parts may have a key: both get it
	Radius int    `yaml:"radius"`
}

func (c *circle) Validate() error {
	if c.Radius < 0 {
		return problem{"radius", "must be 0 or more"}
	}
	return nil
}

func (s *shape) SetConfigType(typ string) error {
	if s.calls != nil {
		*s.calls = append(*s.calls, typ)
	}
	if typ != "circle" {
		return errors.New("known types are circle")
	}
	s.Common, s.Part = shapeCommon{Color: "red"}, &circle{Radius: 1}
	return nil
}

func (s *shape) ConfigParts() []any {
	if s.Part == nil {
		return nil
	}
	return []any{&s.Common, s.Part}
}

func (s *shape) Validate() error {
	if c, ok := s.Part.(*circle); ok && c.Radius == 13 && s.Common.Color == "red" {
		return errors.New("red circles can't have radius 13")
	}
	return nil
}

type drawing struct {
	Shape  shape            `yaml:"shape"`
	Ptr    *shape           `yaml:"ptr"`
	List   []shape          `yaml:"list"`
	ByName map[string]shape `yaml:"by_name"`
}

func TestVariantAnywhere(t *testing.T) {
	t.Parallel()
	var got drawing
	require.NoError(t, load(dev(`
ptr: {type: circle, radius: 2}
list: [{type: circle, color: ""}, {type: "${T}", radius: "${R}"}]
by_name: {a: {type: circle, color: blue}}
`), env{"T": "circle", "R": "3"}, &got))
	red := func(radius int) shape {
		return shape{Common: shapeCommon{"circle", "red"}, Part: &circle{"circle", radius}}
	}
	blue := red(1)
	blue.Common.Color = "blue"
	two := red(2)
	require.Equal(t, drawing{Ptr: &two, List: []shape{red(1), red(3)}, ByName: map[string]shape{"a": blue}}, got)

	out, err := configload.Marshal(got)
	require.NoError(t, err)
	var again drawing
	require.NoError(t, load(dev(string(out)), nil, &again), "%s", out)
	require.Equal(t, got, again)
}

func TestVariantAsTheWhole(t *testing.T) {
	t.Parallel()
	var got shape
	require.NoError(t, load(dev("type: circle\nradius: 5\n"), nil, &got))
	require.Equal(t, &circle{"circle", 5}, got.Part)
	require.Equal(t, []string{`config/development.yaml:2: radus: unknown key; did you mean "radius"?`},
		lines(load(dev("type: circle\nradus: 5\n"), nil, &got)))
	require.Equal(t, []string{"config/development.yaml: type: known types are circle"},
		lines(load(dev("\nradius: 5\n"), nil, &got)))
}

func TestVariantRules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, content string
		want          []string
	}{
		{"of a part", "shape: {type: circle, radius: -1}", []string{"config/development.yaml:1: shape.radius: must be 0 or more"}},
		{"across parts", "shape: {type: circle, radius: 13}", []string{"shape: red circles can't have radius 13"}},
		{"of parts and in a list", "list: [{type: circle, radius: -1}, {type: circle, radius: 13}]", []string{
			"config/development.yaml:1: list[0].radius: must be 0 or more",
			"list[1]: red circles can't have radius 13"}},
		{"not when it is wrong already", "shape: {type: circle, radius: 13, colour: red}", []string{
			`config/development.yaml:1: shape.colour: unknown key; did you mean "color"?`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, lines(load(dev(tt.content), nil, new(drawing))))
		})
	}
}

func TestVariantIsSelectedOnce(t *testing.T) {
	t.Parallel()
	calls := new([]string)
	got := drawing{Shape: shape{Common: shapeCommon{Color: "default"}, Part: &circle{Radius: 7}, calls: calls}}
	require.NoError(t, load(dev(""), nil, &got))
	require.Empty(t, *calls, "a Variant that no file mentions keeps its default")
	require.Equal(t, &circle{Radius: 7}, got.Shape.Part)

	require.NoError(t, load(files{"development.yaml": "shape: {type: square}", "local.yaml": "shape: {type: circle}"}, nil, &got))
	require.Equal(t, []string{"circle"}, *calls)

	part := got.Shape.Part
	require.Error(t, load(dev("shape: {type: circle, radius: x}"), nil, &got))
	require.Same(t, part, got.Shape.Part)
	require.Equal(t, &circle{"circle", 1}, part)
}
