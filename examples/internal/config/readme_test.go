package config_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/app"
	"github.com/rise-deploy/rise-registry-go/examples/customprovider"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// blocks are the README's code blocks of a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	var found []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		found = append(found, m[1])
	}
	require.NotEmpty(t, found)
	return found
}

// Every configuration that the README shows is one that loads and builds.
func TestReadmeConfigurations(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(t.TempDir(), "tls.key")
	writeKeys(t, keys)
	for i, text := range blocks(t, "yaml") {
		text = strings.NewReplacer("keys/tls.key", keys, "keys/tls.crt", keys).Replace(text)
		t.Run(fmt.Sprint("block ", i), func(t *testing.T) {
			t.Parallel()
			factory, err := registry.NewFactory(append(app.Builders(), customprovider.Builder())...)
			require.NoError(t, err)
			c, err := config.Load(configload.Loader{
				FS: fstest.MapFS{"development.yaml": &fstest.MapFile{Data: []byte(text)}},
				LookupEnv: func(name string) (string, bool) {
					return "token-from-the-environment", name == "CI_TOKEN" || name == "REGISTRY_PASSWORD"
				},
			}, factory)
			require.NoError(t, err)
			_, err = factory.Build(t.Context(), c.Registry)
			require.NoError(t, err)
		})
	}
}

// The program that the README embeds the library in compiles.
func TestReadmeProgram(t *testing.T) {
	t.Parallel()
	program := blocks(t, "go")[0]
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	require.NoError(t, os.WriteFile(source, []byte(program), 0o600))
	examples, err := filepath.Abs("../..")
	require.NoError(t, err)
	overlay := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(overlay, fmt.Appendf(nil, `{"Replace": {%q: %q}}`, filepath.Join(examples, "readme/main.go"), source), 0o600))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", os.DevNull, "./readme")
	cmd.Dir = examples
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Less(t, strings.Count(program[strings.Index(program, "func main"):strings.Index(program, "func authenticate")], "\n"), 25, "20 lines and a half")
}
