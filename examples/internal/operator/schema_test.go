package operator_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// The schema needs no configuration that is right, nor any.
func TestSchema(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"schema"}, {"--section", "platform.registry", "schema"}} {
		code, stdout, stderr := operator(t, map[string]string{"development.yaml": "nonsense"}, nil, args...)
		require.Zero(t, code, stderr)
		require.Empty(t, stderr)
		require.Contains(t, stdout, "push_role_arn is the role that is assumed")
		var schema struct{ Properties map[string]any }
		require.NoError(t, json.Unmarshal([]byte(stdout), &schema))
		require.Contains(t, schema.Properties, map[int]string{1: "server", 3: "platform"}[len(args)])
	}
	code, _, stderr := operator(t, nil, nil, "--section", "a b", "schema")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "the section must be keys")
}
