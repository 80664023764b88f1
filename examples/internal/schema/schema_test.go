package schema_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/app"
	"github.com/rise-deploy/rise-registry-go/examples/customprovider"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/schema"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
)

func newFactory(t *testing.T, more ...provider.Builder) *registry.Factory {
	t.Helper()
	factory, err := registry.NewFactory(slices.Concat(app.Builders(), []provider.Builder{customprovider.Builder()}, more)...)
	require.NoError(t, err)
	return factory
}

// judge is a validator of the schema, which is a valid one itself.
func judge(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("schema.json", parsed))
	s, err := c.Compile("schema.json")
	require.NoError(t, err)
	return s
}

func whole(t *testing.T, more ...provider.Builder) *jsonschema.Schema {
	t.Helper()
	text, err := schema.Of(configload.Loader{}, newFactory(t, more...))
	require.NoError(t, err)
	return judge(t, text)
}

// check is what a validator says of a file.
func check(t *testing.T, s *jsonschema.Schema, file string) error {
	t.Helper()
	var parsed any
	require.NoError(t, yaml.Unmarshal([]byte(file), &parsed), file)
	text, err := json.Marshal(parsed)
	require.NoError(t, err, file)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	return s.Validate(value)
}

// examples are the configurations that README and the guide show.
func examples(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	pages := []string{"../../../README.md"}
	require.NoError(t, filepath.WalkDir("../../../docs", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	}))
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for n, m := range regexp.MustCompile("(?s)(?:^|\n)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			var parsed any
			require.NoError(t, yaml.Unmarshal([]byte(m[1]), &parsed), m[1])
			keys, _ := parsed.(map[string]any)
			for _, section := range []string{"registry", "auth", "server", "embedded_registry"} {
				if _, ours := keys[section]; ours && len(keys) <= 4 && !strings.Contains(m[1], "\nstorage:") {
					found[fmt.Sprintf("%s, block %d", filepath.Base(page), n)] = m[1]
				}
			}
		}
	}
	files, err := filepath.Glob("../config/builtin/*.yaml")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		found[file] = string(text)
	}
	require.GreaterOrEqual(t, len(found), 14)
	return found
}

// What README, the guide and the programs have as configurations, the schema takes, and it says something of each key.
func TestExamples(t *testing.T) {
	t.Parallel()
	type section struct { // as docs/adding-a-provider.md has it
		URL      string          `yaml:"url"`
		Key      provider.Secret `yaml:"key"`
		Registry string          `yaml:"registry"`
	}
	s := whole(t, provider.NewBuilder("vending", func() section { return section{} }, func(context.Context, section) (provider.Provider, error) { return nil, errors.ErrUnsupported }))
	for name, file := range examples(t) {
		require.NoError(t, check(t, s, file), "%s:\n%s", name, file)
	}
}

func TestDescribed(t *testing.T) {
	t.Parallel()
	text, err := schema.Of(configload.Loader{}, newFactory(t))
	require.NoError(t, err)
	var parsed map[string]any
	require.NoError(t, json.Unmarshal(text, &parsed))
	keys := 0
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case []any:
			for i, one := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), one)
			}
		case map[string]any:
			properties, _ := v["properties"].(map[string]any)
			for key, one := range properties {
				property := one.(map[string]any)
				keys++
				if property["const"] == nil && property["enum"] == nil && len(property) > 0 { // not a condition
					require.NotEmpty(t, property["description"], "%s.%s has no doc comment, or go generate wasn't run", path, key)
				}
			}
			for key, one := range v {
				walk(path+"."+key, one)
			}
		}
	}
	walk("", parsed)
	require.Greater(t, keys, 80)
}

// What configload takes, the schema takes: each value of each example, in other words and left out. What the schema is there to find, it finds.
func TestAgreesWithConfigload(t *testing.T) {
	t.Parallel()
	factory := newFactory(t)
	s := whole(t)
	loads := func(file string) bool {
		c := config.Default(factory)
		err := configload.Loader{
			FS: fstest.MapFS{"test.yaml": {Data: []byte(file)}}, RunMode: "test", LookupEnv: func(string) (string, bool) { return "5", true },
		}.Load(&c)
		var wrong configload.Errors
		require.True(t, err == nil || errors.As(err, &wrong), err)
		return err == nil
	}
	tried, refused := 0, map[string]int{}
	for name, file := range examples(t) {
		if strings.Contains(file, "vending") {
			continue
		}
		if !strings.Contains("\n"+file, "\nregistry:") { // without which nothing loads
			file += "registry: {type: oci-client-auth, registry_url: localhost}\n"
		}
		lines := strings.Split(file, "\n")
		for n, line := range lines {
			m := regexp.MustCompile(`^(\s*(?:- )?)([a-z0-9_]+):( +)([^ #].*?)?( +#.*)?$`).FindStringSubmatch(line)
			if m == nil {
				continue
			}
			for kind, value := range map[string]string{
				"empty": "", "null": "null", "empty text": `""`, "variable": "${X}", "variable in a text": "a${X}", "default": `"${X:-12}"`, "escaped": `"$${X}"`, "number": "5", "quoted number": `"5"`, "negative": "-5",
				"float": "0.5", "bool": "true", "quoted bool": `"true"`, "Bool": "True", "duration": "1h30m", "duration of fractions": ".5h", "zero": "0", "word": "word", "push": "push", "list": "[a]", "empty list": "[]",
				"list of variables": `["${X}", 5]`, "mapping": "{a: b}", "empty mapping": "{}", "yes": "yes", "large": "123456789012345678901234567890", "leading zero": "012", "exponent": "1e3", "date": "2026-12-31T00:00:00Z",
			} {
				changed := slices.Clone(lines)
				changed[n] = m[1] + m[2] + ": " + value
				text := strings.Join(changed, "\n")
				var parsed any
				if yaml.Unmarshal([]byte(text), &parsed) != nil {
					continue // what was below the key
				}
				tried++
				err := check(t, s, text)
				if err != nil {
					refused[kind]++
				}
				require.False(t, loads(text) && err != nil, "%s, %s as %s: %v\n%s", name, m[2], kind, err, text)
			}
			changed := slices.Clone(lines)
			changed[n] = m[1] + m[2] + "x:" + line[len(m[1])+len(m[2])+1:]
			text := strings.Join(changed, "\n")
			if loads(text) { // in a map, any key is fine
				continue
			}
			require.Error(t, check(t, s, text), "%s: a key that isn't there\n%s", name, text)
		}
	}
	require.Greater(t, tried, 1000)
	for _, kind := range []string{"word", "list", "mapping", "bool", "yes", "number"} {
		require.Greater(t, refused[kind], 10, kind)
	}
	require.Zero(t, refused["null"]+refused["empty"])
}

// Of the registry section the keys are those of its type; of another layer, which may have none, all types'.
func TestTypes(t *testing.T) {
	t.Parallel()
	s := whole(t)
	for file, want := range map[string]string{
		"registry: {type: ecr, region: eu-west-1}":                                     "",
		"registry: {type: ecr, registry_url: localhost}":                               "registry_url",
		"registry: {type: oci-client-auth, region: eu-west-1}":                         "region",
		"registry: {type: oci-token-issuer, token_duration: 5m}":                       "",
		"registry: {type: ecr, token_duration: 5m}":                                    "token_duration",
		"registry: {type: signed-login, lifetime: 5}":                                  "lifetime",
		"registry: {type: ec2}":                                                        "/registry/type",
		"registry: {type: '${TYPE:-ecr}', region: eu-west-1, registry_url: localhost}": "",
		"registry: {region: eu-west-1, registry_url: localhost}":                       "",
		"registry: {reggion: eu-west-1}":                                               "reggion",
		"registry: {type: null, region: eu-west-1}":                                    "",
		"registry:":     "",
		"registry: ecr": "/registry",
		"registry: {type: ecr, session_duration: 90}":                                       "session_duration",
		"registry: {type: ecr, session_duration: 90 minutes}":                               "session_duration",
		"registry: {type: ecr, session_duration: 1h30m}":                                    "",
		"registry: {type: ecr, cache: {enabled: 'no'}}":                                     "enabled",
		"registry: {type: ecr, account_id: 123456789012}":                                   "",
		"auth: {tokens: [{subject: ci, access: pull}]}":                                     "",
		"auth: {tokens: [{subject: ci, access: write}]}":                                    "access",
		"auth: {tokens: {subject: ci}}":                                                     "/auth/tokens",
		"auth: {oidc: [{name: x, rules: [{claims: {a: 5}, projects: [p], access: push}]}]}": "",
	} {
		if err := check(t, s, file); want == "" {
			require.NoError(t, err, file)
		} else {
			require.ErrorContains(t, err, want, file)
		}
	}
}

// A service's own files: the section is known, and beside it all is fine.
func TestSection(t *testing.T) {
	t.Parallel()
	text, err := schema.Of(configload.Loader{Section: "platform.registry"}, newFactory(t))
	require.NoError(t, err)
	s := judge(t, text)
	require.NoError(t, check(t, s, "listen: [1]\nplatform: {x: y, registry: {type: ecr, region: eu-west-1}}\nregistry: 5"))
	require.ErrorContains(t, check(t, s, "platform: {registry: {type: ecr, reggion: eu-west-1}}"), "reggion")
	_, err = schema.Of(configload.Loader{Section: "a b"}, newFactory(t))
	require.ErrorContains(t, err, "the section must be keys")
}
