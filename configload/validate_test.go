package configload_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// rules is a configuration whose Validate methods answer what the test wants, and count.
type rules struct {
	A      string            `yaml:"a"`
	Inner  rule              `yaml:"inner"`
	Ptr    *rule             `yaml:"ptr"`
	Nil    *rule             `yaml:"nil"`
	List   []rule            `yaml:"list"`
	Map    map[string]*rule  `yaml:"map"`
	Scalar validatedText     `yaml:"scalar"`
	Tags   map[string]string `yaml:"tags"`
	err    error
	calls  *[]string
}

func (r *rules) Validate() error {
	*r.calls = append(*r.calls, "root")
	return r.err
}

type rule struct {
	Name string `yaml:"name"`
}

func (r rule) Validate() error {
	if r.Name == "bad" {
		return problem{"name", "must be good"}
	}
	return nil
}

// validatedText is a scalar, so its Validate isn't called.
type validatedText string

func (validatedText) Validate() error { return errors.New("never called") }

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		content string
		err     error
		want    []string
	}{
		{"fine", "a: x", nil, nil},
		{"everywhere", "inner: {name: bad}\nptr: {name: bad}\nlist: [{name: ok}, {name: bad}]\nmap: {k: {name: bad}, \"a b\": {name: bad}}\n",
			nil, []string{
				"config/development.yaml:1: inner.name: must be good",
				"config/development.yaml:2: ptr.name: must be good",
				"config/development.yaml:3: list[1].name: must be good",
				"config/development.yaml:4: map.k.name: must be good",
				`config/development.yaml:4: map["a b"].name: must be good`}},
		{"a rule across keys of the whole", "", errors.New("a or b"), []string{"a or b"}},
		{"joined and nested", "a: x\n", errors.Join(
			fmt.Errorf("wrapped: %w", problem{"a", "is wrong"}), errors.Join(errors.New("one"), errors.New("two")), nil), []string{
			"config/development.yaml:1: a: is wrong", "one", "two"}},
		{"a wrapped error without a key is whole", "", fmt.Errorf("outer: %w", errors.New("inner")), []string{"outer: inner"}},
		{"so is a list with a text of its own", "", fmt.Errorf("both %w and %w", errors.New("x"), errors.New("y")),
			[]string{"both x and y"}},
		{"a list with a text of its own that names keys", "a: x", fmt.Errorf("both %w and %w", problem{"a", "x"}, problem{"tags", "y"}),
			[]string{"config/development.yaml:1: a: x", "tags: y"}},
		{"a path into a sequence and a map", "list:\n- name: x\ntags:\n  k: v\n  \"a/b\": w\n",
			errors.Join(problem{"list[0].name", "1"}, problem{"tags.k", "2"}, problem{`tags["a/b"]`, "3"}), []string{
				"config/development.yaml:2: list[0].name: 1",
				"config/development.yaml:4: tags.k: 2",
				`config/development.yaml:5: tags["a/b"]: 3`}},
		{"the same mistake twice", "inner: {name: bad}", problem{"inner.name", "must be good"}, []string{
			"config/development.yaml:1: inner.name: must be good"}},
		{"an error without ConfigProblem shows its text", "a: x", keyOnly{}, []string{"config/development.yaml:1: a: plain text"}},
		{"skipped after a mistake inside", "a: x\ninner: {nam: x}\n", errors.New("not reported"), []string{
			`config/development.yaml:2: inner.nam: unknown key; did you mean "name"?`}},
		{"not skipped after a mistake elsewhere", "unknown: x\ninner: {name: bad}\n", nil, []string{
			"config/development.yaml:1: unknown: unknown key; the known ones are a, inner, ptr, nil, list, map, scalar, tags",
			"config/development.yaml:2: inner.name: must be good"}},
		{"a key without a mistake, of a struct with one", "a: x\nnothing: y\n", problem{"a", "is wrong"}, []string{
			"config/development.yaml:1: a: is wrong",
			"config/development.yaml:2: nothing: unknown key; the known ones are a, inner, ptr, nil, list, map, scalar, tags"}},
		{"nor is it for a key with a mistake, one around it, or one inside", "a: ${U}\ninner: {name: [x]}\nlist: ${U}\n",
			errors.Join(problem{"a", "1"}, problem{"inner", "2"}, problem{"list[0].name", "3"}), []string{
				"config/development.yaml:1: a: variable U is not set",
				"config/development.yaml:2: inner.name: must be a single value, not a sequence",
				"config/development.yaml:3: list: variable U is not set"}},
		{"nor where the text names one", "a: ${U}\ninner: {name: ok}\n",
			errors.Join(problem{"tags", "goes with a"}, problem{"inner.name", "needs a, or b"}, problem{"inner", "has a-b, _a and á"}), []string{
				"config/development.yaml:1: a: variable U is not set",
				"config/development.yaml:2: inner: has a-b, _a and á"}},
		{"nor for what was probably meant", "lst: x\n", errors.Join(problem{"list", "is required"}, problem{"a", "goes with list"}), []string{
			`config/development.yaml:1: lst: unknown key; did you mean "list"?`}},
		{"but it is if that is there, too", "lst: x\nlist: []\n", problem{"list", "is required"}, []string{
			`config/development.yaml:1: lst: unknown key; did you mean "list"?`,
			"config/development.yaml:2: list: is required"}},
		{"elements don't speak of each other", "list:\n- name: ${U}\n- name: x\n", problem{"list[1].name", "is a name twice"}, []string{
			"config/development.yaml:2: list[0].name: variable U is not set",
			"config/development.yaml:3: list[1].name: is a name twice"}},
		{"a missing key is in its section", "a: x\nmap:\n  k:\n    name: x\nlist:\n- {}\n",
			errors.Join(problem{"map.k.other", "1"}, problem{"list[0].name", "2"}, problem{"list[7].name", "3"}, problem{"inner.name", "4"}, problem{`map["a.b"].name`, "5"}), []string{
				`config/development.yaml:2: map["a.b"].name: 5`,
				"config/development.yaml:3: map.k.other: 1",
				"config/development.yaml:5: list[7].name: 3",
				"config/development.yaml:6: list[0].name: 2",
				"inner.name: 4"}},
		{"not skipped after a mistake of a namesake", "innerx: x\ninner: {name: bad}\n", nil, []string{
			`config/development.yaml:1: innerx: unknown key; did you mean "inner"?`,
			"config/development.yaml:2: inner.name: must be good"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := rules{err: tt.err, calls: new([]string)}
			require.Equal(t, tt.want, lines(load(dev(tt.content), nil, &got)))
			require.LessOrEqual(t, len(*got.calls), 1)
		})
	}
}

// Validate methods meet no nil among elements that didn't decode.
func TestValidateMeetsNoNilElements(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{
		"config/development.yaml:1: list[0]: tags (!) are not supported; remove it, or quote a value that starts with !",
		"config/development.yaml:1: list[1]: an element can't be empty or null; remove it or give it a value",
		"config/development.yaml:1: list[2]: variable U is not set",
		"config/development.yaml:2: map.k: variable U is not set",
	}, lines(load(dev("list: [!t a, null, \"${U}\"]\nmap: {k: \"${U}\"}\n"), nil, new(derefs))))
}

// derefs follows its pointers without looking.
type derefs struct {
	List []*rule          `yaml:"list"`
	Map  map[string]*rule `yaml:"map"`
}

func (d derefs) Validate() error {
	for _, r := range d.List {
		_ = r.Name
	}
	_ = d.Map["k"].Name
	return nil
}

type keyOnly struct{}

func (keyOnly) Error() string     { return "plain text" }
func (keyOnly) ConfigKey() string { return "a" }

// An embedded struct's Validate is its outer struct's, promoted or shadowed. Other inline structs have their own.
func TestValidateInline(t *testing.T) {
	t.Parallel()
	calls := new([]string)
	got := struct {
		Promoting struct {
			Counted `yaml:",inline"`
		}
		Shadowing shadowing
		Named     struct {
			Counted Counted `yaml:",inline"`
		}
		Both struct {
			Counted `yaml:",inline"`
			Other   `yaml:",inline"`
		}
	}{}
	got.Promoting.calls, got.Shadowing.calls, got.Named.Counted.calls, got.Both.Counted.calls = calls, calls, calls, calls
	require.Equal(t, []string{"both: other"}, lines(load(dev(""), nil, &got)))
	require.Equal(t, []string{"counted", "shadowing", "counted", "counted"}, *calls)
}

type Counted struct{ calls *[]string }

func (c *Counted) Validate() error {
	*c.calls = append(*c.calls, "counted")
	return nil
}

type Other struct{}

func (Other) Validate() error { return errors.New("other") }

type shadowing struct {
	Counted `yaml:",inline"`
}

func (s shadowing) Validate() error {
	*s.calls = append(*s.calls, "shadowing")
	return nil
}
