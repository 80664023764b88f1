package operator_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/examples/customprovider"
	"github.com/rise-deploy/rise-registry-go/examples/internal/builders"
	op "github.com/rise-deploy/rise-registry-go/examples/internal/operator"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// operator runs a command on these files; none is the built-in configuration.
func operator(t *testing.T, texts map[string]string, variables map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	loader := configload.Loader{LookupEnv: func(name string) (string, bool) { v, ok := variables[name]; return v, ok }}
	for name, text := range texts {
		if loader.Dir == "" {
			loader.Dir = t.TempDir()
		}
		require.NoError(t, os.WriteFile(filepath.Join(loader.Dir, name), []byte(text), 0o600))
	}
	var out, errs bytes.Buffer
	f, err := registry.NewFactory(ecr.Builder(), oci.ClientAuthBuilder(), builders.TokenIssuer(), customprovider.Builder())
	require.NoError(t, err)
	code = op.Run(t.Context(), f, loader, op.Process{Name: "operator", Args: args, Stdout: &out, Stderr: &errs})
	return code, out.String(), errs.String()
}

const ecrConfig = `
server: {listen: 127.0.0.1:8080}
auth: {tokens: [{token: "${TOKEN}", subject: ci, projects: [hello]}]}
registry:
  type: ecr
  region: eu-west-1
  account_id: 123456789012
  push_role_arn: arn:aws:iam::123456789012:role/push
  access_key_id: "${KEY_ID:-AKIAEXAMPLE}"
  secret_access_key: "${KEY}"
`

func TestCheckConfig(t *testing.T) {
	t.Parallel()
	secrets := map[string]string{"TOKEN": "hunter2-token-of-ci", "KEY": "hunter2-key"}
	code, stdout, stderr := operator(t, map[string]string{"development.yaml": ecrConfig}, secrets, "check-config")
	require.Zero(t, code, stderr)
	require.Empty(t, stderr)
	require.NotContains(t, stdout, "hunter2")
	require.NotContains(t, stdout, "AKIAEXAMPLE")
	for _, line := range []string{
		"  - token: '[redacted]'\n", "  type: ecr\n", "  secret_access_key: '[redacted]'\n", "  repo_prefix: rise/\n", "  session_duration: 1h0m0s\n",
		"  account_id: \"123456789012\"\n", "  session_token: ''\n",
	} {
		require.Contains(t, stdout, line)
	}

	code, stdout, stderr = operator(t, map[string]string{"development.yaml": strings.Replace(ecrConfig, "123456789012\n", "12345\n", 1) + "  regoin: x\n"},
		map[string]string{"TOKEN": "hunter2-token-of-ci"}, "check-config")
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, `development.yaml:10: registry.secret_access_key: variable KEY is not set`)
	require.Contains(t, stderr, `development.yaml:11: registry.regoin: unknown key; did you mean "region"?`)

	code, _, stderr = operator(t, map[string]string{"development.yaml": strings.Replace(ecrConfig, "123456789012\n", "12345\n", 1)}, secrets, "check-config")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "development.yaml:7: registry.account_id: must be an AWS account id of 12 digits")

	code, stdout, stderr = operator(t, map[string]string{"development.yaml": strings.Replace(ecrConfig, "region: eu-west-1", "installation: prod", 1)},
		map[string]string{"TOKEN": `"hunter2"`, "KEY": "hunter2\n", "KEY_ID": "\ufeffAKIAEXAMPLE"}, "check-config")
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	require.NotContains(t, stderr, "hunter2")
	for _, line := range []string{
		"development.yaml:3: auth.tokens[0].token: has quotes around it", "development.yaml:4: registry.region: is required: it must be an AWS region",
		"development.yaml:9: registry.access_key_id: holds a byte order mark", "development.yaml:10: registry.secret_access_key: ends in the end of a line",
	} {
		require.Contains(t, stderr, line)
	}

	code, stdout, _ = operator(t, nil, nil, "check-config")
	require.Zero(t, code)
	require.Contains(t, stdout, "type: oci-token-issuer")
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	plain := map[string]string{"development.yaml": "registry: {type: oci-client-auth, registry_url: '127.0.0.1:5000'}"}
	code, stdout, stderr := operator(t, plain, nil, "credentials", "hello", "--access", "pull")
	require.Zero(t, code, stderr)
	require.Equal(t, `{"credentials":{"registry_url":"127.0.0.1:5000/hello","username":"","password":"","auth_method":"login_credentials"},"repository":"hello"}`+"\n", stdout)
	code, stdout, stderr = operator(t, nil, nil, "credentials", "hello")
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "the embedded registry's keys are made by the server at each start")
	code, stdout, stderr = operator(t, plain, nil, "credentials", "a--b")
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "is not valid")
	for _, args := range [][]string{{}, {"credentials"}, {"credentials", "hello", "--access", "admin"}, {"unknown"}, {"credentials", "a", "b"}} {
		code, stdout, stderr = operator(t, nil, nil, args...)
		require.Equal(t, 2, code, args)
		require.Empty(t, stdout)
		require.NotEmpty(t, stderr)
	}
	code, stdout, _ = operator(t, nil, nil, "--help")
	require.Zero(t, code)
	require.Contains(t, stdout, "check-config")
}
