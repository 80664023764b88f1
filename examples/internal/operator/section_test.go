package operator_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

// serviceConfig is a service's own configuration: its other sections are none of the operator's.
const serviceConfig = `
server: {port: "${PORT}", workers: 5}
auth: {oauth: {client_secret: "${OAUTH_SECRET:?of the service}"}}
queue: &queue {type: "${QUEUE}"}
platform:
  queues: [*queue]
  registry:
    type: ecr
    region: eu-west-1
    account_id: "123456789012"
    push_role_arn: "${PUSH_ROLE}"
    access_key_id: "${KEY_ID}"
    secret_access_key: "${KEY}"
    installation: prod
    auto_remove: true
`

// With --section, the operator works on a service's own configuration, of which it knows one section.
func TestSection(t *testing.T) {
	server := ecrtest.NewServer(ecrtest.Config{})
	t.Cleanup(server.Close)
	d := server.Setup(ecrtest.SetupOptions{AutoRemove: true})
	t.Setenv("AWS_ENDPOINT_URL", server.URL) // which the SDK reads; hence not parallel
	variables := map[string]string{"PUSH_ROLE": d.PushRoleARN, "KEY_ID": d.ControllerUser.ID, "KEY": d.ControllerUser.Secret}
	files := map[string]string{"development.yaml": serviceConfig, "local.yaml": "platform: {registry: {remove_after: 0s}}\n"}
	run := func(args ...string) (int, string, string) { return operator(t, files, variables, args...) }

	code, stdout, stderr := run("check-config", "--section", "platform.registry")
	require.Zero(t, code, stderr)
	require.True(t, strings.HasPrefix(stdout, "type: ecr\ncache:\n"), stdout)
	require.Contains(t, stdout, "secret_access_key: '[redacted]'\n")
	require.Contains(t, stderr, "warning: platform.registry.remove_after: with 0s")

	for _, args := range [][]string{{"repo", "ensure", "hello"}, {"credentials", "hello"}, {"policies", "push"}} {
		code, stdout, stderr = run(append([]string{"--section", "platform.registry"}, args...)...)
		require.Zero(t, code, "%s: %s", args, stderr)
		require.NotEmpty(t, stdout)
		require.Empty(t, stderr)
	}
	code, stdout, _ = run("--section=platform.registry", "diagnose")
	require.Contains(t, stdout, "✓ push_role ", "%d", code)

	for _, tt := range []struct {
		section string
		want    []string
	}{
		{"", []string{"development.yaml:2: server.port: variable PORT is not set", "development.yaml:2: server.workers: unknown key", "development.yaml:4: queue: anchors (&) are not supported"}},
		{"platform.registri", []string{`local.yaml:1: platform.registri: there is no such section; did you mean "registry"?`}},
		{"platform", []string{"local.yaml:1: platform.type: is required: one of ecr, oci-client-auth, oci-token-issuer, signed-login"}},
		{"platform.", []string{"the section must be keys"}},
	} {
		code, stdout, stderr = run("check-config", "--section", tt.section)
		require.Equal(t, 1, code, tt.section)
		require.Empty(t, stdout)
		for _, text := range tt.want {
			require.Contains(t, stderr, text)
		}
	}
	files["development.yaml"] = strings.Replace(serviceConfig, "    region: eu-west-1\n", "    regoin: \"${REGION}\"\n", 1)
	code, _, stderr = run("check-config", "--section", "platform.registry")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, `development.yaml:9: platform.registry.regoin: unknown key; did you mean "region"?`)
	require.NotContains(t, stderr, "PORT")
}

// The built-in configuration has the section too.
func TestSectionBuiltIn(t *testing.T) {
	t.Parallel()
	variables := map[string]string{"RISE_CONFIG_RUN_MODE": "ecr-local", "RISE_ECR_LOCAL_PUSH_ROLE_ARN": "arn:aws:iam::123456789012:role/push",
		"RISE_ECR_LOCAL_ACCESS_KEY_ID": "hunter2-id", "RISE_ECR_LOCAL_SECRET_ACCESS_KEY": "hunter2-key"}
	code, stdout, stderr := operator(t, nil, variables, "check-config", "--section", "registry")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "registry_host: \"127.0.0.1:5001\"")
}
