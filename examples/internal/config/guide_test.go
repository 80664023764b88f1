package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/app"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// Every configuration on the page about token servers is one that loads and builds.
func TestTokenServersConfigurations(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/token-servers.md")
	require.NoError(t, err)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("correct-horse-battery\n"), 0o600))
	variables := map[string]string{
		"REGISTRY_PASSWORD": "correct-horse-battery", "PULL_PASSWORD": "staple-correct-horse", "AZURE_TENANT_ID": "409520d4-8100-4d1d-ad47-72432ddcc120",
		"AZURE_CLIENT_ID": "6731de76-14a6-49ae-97bc-6eba6914391e", "AZURE_FEDERATED_TOKEN_FILE": secret,
	}
	found := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	require.Len(t, found, 4)
	for i, m := range found {
		t.Run(fmt.Sprint("block ", i), func(t *testing.T) {
			t.Parallel()
			text := strings.NewReplacer("/run/secrets/harbor-pull", secret, "/run/secrets/harbor", secret, "/run/secrets/docker-hub", secret).Replace(m[1])
			factory, err := registry.NewFactory(app.Builders()...)
			require.NoError(t, err)
			c, err := config.Load(configload.Loader{
				FS:        fstest.MapFS{"development.yaml": &fstest.MapFile{Data: []byte(text)}},
				LookupEnv: func(name string) (string, bool) { value, ok := variables[name]; return value, ok },
			}, factory)
			require.NoError(t, err)
			_, err = factory.Build(t.Context(), c.Registry)
			require.NoError(t, err)
		})
	}
}
