package bearer_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireExact reads claims as distribution's registry does.
func requireExact(t *testing.T, claims string) {
	t.Helper()
	var read struct {
		Access []struct {
			Type    string   `json:"type"`
			Name    string   `json:"name"`
			Actions []string `json:"actions"`
		} `json:"access"`
	}
	require.NoError(t, json.Unmarshal([]byte(claims), &read))
	var all []string
	for _, a := range read.Access {
		require.Equal(t, "repository", a.Type)
		require.Equal(t, "rise-apps/hello", a.Name)
		all = append(all, a.Actions...)
	}
	slices.Sort(all)
	require.Equal(t, []string{"pull", "push"}, slices.Compact(all))
}
