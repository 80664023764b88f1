package operator_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPolicies(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::123456789012:role/rise-backend"
	files, variables := map[string]string{"development.yaml": ecrConfig + "  installation: prod\n  session_tags: true\n"}, map[string]string{"TOKEN": "hunter2-token-of-ci", "KEY": "hunter2-key"}
	code, stdout, stderr := operator(t, files, variables, "policies", "--controller-arn", role,
		"--irsa-provider", "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE")
	require.Zero(t, code, stderr)
	var all map[string]struct{ Statement []json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(stdout), &all))
	for _, name := range []string{"controller", "controller-trust", "push", "push-trust", "diagnose", "service-control", "session"} {
		require.NotEmpty(t, all[name].Statement, name)
	}
	require.Contains(t, stdout, "system:serviceaccount:rise-system:rise-backend")
	require.NotContains(t, stdout, "hunter2")
	require.NotContains(t, stdout, ":root")

	code, stdout, _ = operator(t, files, variables, "policies", "push", "--controller-arn", role)
	require.Zero(t, code)
	require.True(t, strings.HasPrefix(stdout, "{\n  \"Version\": \"2012-10-17\""), stdout)

	for _, name := range []string{"controller", "push", "diagnose", "session"} { // as the guide and diagnosis say it
		code, stdout, stderr = operator(t, files, variables, "policies", name)
		require.Zero(t, code, "%s: %s", name, stderr)
		_, named, _ := operator(t, files, variables, "policies", name, "--controller-arn", role)
		if name != "diagnose" { // which also reads the controller role, if it is known
			require.Equal(t, named, stdout, name)
		}
	}

	code, _, stderr = operator(t, files, variables, "policies", "pushing", "--controller-arn", role)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, `there is no policy "pushing"; there are controller, push, push-trust`)
	code, _, stderr = operator(t, files, variables, "policies")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "(flag --controller-arn)")
	code, _, stderr = operator(t, nil, nil, "policies")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "type oci-token-issuer has no IAM policies")
}

// What the Terraform module puts out is a configuration that the operator reads.
func TestPoliciesOfModule(t *testing.T) {
	t.Parallel()
	outputs, err := filepath.Glob("../../../testdata/policies/*/registry.json")
	require.NoError(t, err)
	require.NotEmpty(t, outputs)
	for _, path := range outputs {
		registry, err := os.ReadFile(path)
		require.NoError(t, err)
		code, _, stderr := operator(t, map[string]string{"development.yaml": "registry: " + string(registry)}, nil, "check-config")
		require.Zero(t, code, "%s: %s", path, stderr)
	}
}
