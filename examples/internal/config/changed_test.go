package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/registry"
)

const changing = `
server:
  listen: 127.0.0.1:3000
  trusted_proxies: [10.0.0.0/8]
  rate_limits: {per_subject: {requests_per_second: 1, burst: 2}}
  drain: 5s
auth:
  tokens:
    - {token: a-token-of-hello-, subject: ci, projects: [hello]}
    - {token_file: /run/token, subject: other, projects: [hello, other], access: push}
  oidc:
    - name: gh
      issuer: https://token.actions.githubusercontent.com
      audience: https://rise.example.com
      rules: [{claims: {repository_owner_id: "1", ref: refs/heads/main}, projects: [hello]}]
registry:
  type: ecr
  region: eu-west-1
  account_id: "123456789012"
  push_role_arn: arn:aws:iam::123456789012:role/push
  access_key_id: AKIAIOSFODNN7EXAMPLE
  secret_access_key: a-secret-of-the-account
  tags: {team: a}
`

func loadText(t *testing.T, text string) config.Config {
	t.Helper()
	f, err := registry.NewFactory(ecr.Builder(), oci.ClientAuthBuilder(), tokenissuer.Builder())
	require.NoError(t, err)
	c, err := config.Load(load(t, text), f)
	require.NoError(t, err)
	return c
}

func load(t *testing.T, text string) configload.Loader {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "development.yaml"), []byte(text), 0o600))
	return configload.Loader{Dir: dir, LookupEnv: func(string) (string, bool) { return "", false }}
}

// Keys are named, the innermost that differs, and nothing else.
func TestChanged(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(changing, "registry:")
	before := loadText(t, changing)
	require.Empty(t, config.Changed(before, loadText(t, changing)))
	for name, test := range map[string]struct{ was, is, keys string }{
		"text":                  {"127.0.0.1:3000", "127.0.0.1:3001", "server.listen"},
		"a list's element":      {"10.0.0.0/8", "10.0.0.0/9", "server.trusted_proxies[0]"},
		"a list's length":       {"[10.0.0.0/8]", "[]", "server.trusted_proxies"},
		"a number":              {"burst: 2", "burst: 3", "server.rate_limits.per_subject.burst"},
		"a pointer":             {"drain: 5s", "drain: 6s", "server.drain"},
		"a default, written":    {"drain: 5s", "", ""},
		"a secret":              {"a-token-of-hello-", "a-token-of-hello+", "auth.tokens[0].token"},
		"an access":             {"access: push", "access: pull", "auth.tokens[1].access"},
		"a project":             {"[hello, other]", "[hello, third]", "auth.tokens[1].projects[1]"},
		"a claim":               {"refs/heads/main", "refs/heads/next", "auth.oidc[0].rules[0].claims"},
		"a claim's name":        {"ref: refs", "ref_path: refs", "auth.oidc[0].rules[0].claims"},
		"a section's":           {"eu-west-1", "eu-west-2", "registry.region"},
		"a section's secret":    {"a-secret-of-the-account", "another-of-the-account", "registry.secret_access_key"},
		"a section's mapping":   {"{team: a}", "{team: b}", "registry.tags"},
		"of several types":      {"tags: {team: a}", "cache: {max_entries: 7}\n  remove_after: 36h", "registry.cache.max_entries registry.remove_after registry.tags"},
		"a default of the type": {"tags: {team: a}", "tags: {team: a}\n  repo_prefix: rise/", ""},
		"the type":              {section, " {type: oci-client-auth, registry_url: localhost:5000}", "registry.type"},
	} {
		after := loadText(t, strings.Replace(changing, test.was, test.is, 1))
		require.Equal(t, strings.Fields(test.keys), append([]string{}, config.Changed(before, after)...), name)
		require.Equal(t, strings.Fields(test.keys), append([]string{}, config.Changed(after, before)...), name)
	}
}

func TestBelow(t *testing.T) {
	t.Parallel()
	for key, section := range map[string]string{"a.b": "a", "a[0].b": "a", "a": "a"} {
		require.True(t, config.Below(key, section))
	}
	for key, section := range map[string]string{"ab": "a", "a": "a.b", "b.a": "a"} {
		require.False(t, config.Below(key, section))
	}
}
