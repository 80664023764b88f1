package operator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/examples/customprovider"
	"github.com/rise-deploy/rise-registry-go/examples/internal/builders"
	"github.com/rise-deploy/rise-registry-go/examples/internal/ecrlocal"
	op "github.com/rise-deploy/rise-registry-go/examples/internal/operator"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// operator runs a command on these files; none is the built-in configuration.
func operator(t *testing.T, texts map[string]string, variables map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return operatorIn(t.Context(), t, texts, variables, args...)
}

func operatorIn(ctx context.Context, t *testing.T, texts map[string]string, variables map[string]string, args ...string) (code int, stdout, stderr string) {
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
	code = op.Run(ctx, f, loader, op.Process{Name: "operator", Args: args, Stdout: &out, Stderr: &errs})
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
	require.Equal(t, "ok: the configuration is valid, of type ecr\n", stderr)
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

// Called with nothing, or wrongly, it says on stderr how to call it, and ends with 2.
func TestUsage(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := operator(t, nil, nil)
	require.Equal(t, 2, code)
	require.Empty(t, stdout)
	require.True(t, strings.HasPrefix(stderr, "Usage: operator <command> [flags]\n"), stderr)
	require.Contains(t, stderr, "check-config")
	require.NotContains(t, stderr, "expected one of")
	code, stdout, stderr = operator(t, nil, nil, "repo")
	require.Equal(t, 2, code)
	require.Empty(t, stdout)
	require.True(t, strings.HasPrefix(stderr, "Usage: operator repo <command> [flags]\n"), stderr)
	require.Contains(t, stderr, `expected one of "ensure"`)
	code, stdout, stderr = operator(t, nil, nil, "diagnose", "--tiemout", "3s")
	require.Equal(t, 2, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, `unknown flag --tiemout, did you mean "--timeout"?`)
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--version", "-version"} {
		code, stdout, stderr := operator(t, nil, nil, flag)
		require.Zero(t, code, stderr)
		require.Empty(t, stderr)
		require.Regexp(t, `^operator \S+ \(.*go1\..*\)\n$`, stdout)
	}
}

// --config is where the files are, whatever the environment or the program says.
func TestConfigFlag(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "development.yaml"), []byte("registry: {type: oci-client-auth, registry_url: elsewhere.example.com}"), 0o600))
	for name, texts := range map[string]map[string]string{"built in": nil, "a folder": {"development.yaml": ecrConfig}} {
		code, stdout, stderr := operator(t, texts, map[string]string{"RISE_CONFIG_DIR": "/nowhere"}, "--config", dir, "credentials", "hello")
		require.Zero(t, code, "%s: %s", name, stderr)
		require.Contains(t, stdout, "elsewhere.example.com/hello", name)
		code, _, stderr = operator(t, texts, nil, "check-config", "--config", filepath.Join(dir, "not-there"))
		require.Equal(t, 1, code, name)
		require.Contains(t, stderr, filepath.Join(dir, "not-there"), name)
	}
}

// The line of a server that ended, or of something else, is said to be that.
func TestLocalAWS(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "account.json")
	local := func(path string) map[string]string {
		return map[string]string{"RISE_CONFIG_RUN_MODE": "ecr-local", "RISE_ECR_LOCAL_FILE": path}
	}
	code, _, stderr := operator(t, nil, local(""), "repo", "list")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "the server in mode ecr-local prints a line to paste before the operator is run")
	code, _, stderr = operator(t, nil, local(file), "repo", "list")
	require.Equal(t, 1, code)
	require.Equal(t, "RISE_ECR_LOCAL_FILE: "+file+" isn't there: the server of mode ecr-local makes another one at each start, and prints the line that names it\n", stderr)
	require.NoError(t, os.WriteFile(file, []byte(`{"secret_access_key": "hunter2", "url": 7}`), 0o600))
	code, _, stderr = operator(t, nil, local(file), "repo", "list")
	require.Equal(t, 1, code)
	require.Equal(t, "RISE_ECR_LOCAL_FILE: "+file+" isn't what the server of mode ecr-local writes\n", stderr)

	account, err := json.Marshal(ecrlocal.Account{URL: "http://127.0.0.1:1", RegistryHost: "127.0.0.1:1", PushRoleARN: "arn:aws:iam::123456789012:role/push", AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "hunter2"})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, account, 0o600))
	code, stdout, stderr := operator(t, nil, local(file), "check-config") // whose factory has ecr.Builder itself, which would ask AWS
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	require.Equal(t, "mode ecr-local needs a factory with the ecr builder of package app\n", stderr)
}
