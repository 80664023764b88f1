package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The descriptions are those of the doc comments as they are.
func TestUpToDate(t *testing.T) {
	t.Parallel()
	want, err := descriptions("../../../..")
	require.NoError(t, err)
	have, err := os.ReadFile("../" + file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(have), "doc comments changed: run go generate ./internal/schema in examples")
}

func TestSentence(t *testing.T) {
	t.Parallel()
	keys := map[string]string{"RoleARN": "role_arn", "Name": "name", "JWKSURL": "jwks_url", "RemoveAfter": "remove_after"}
	for doc, want := range map[string]string{
		"RoleARN is a role.\nIt is assumed.\n\nBut not here.": "role_arn is a role. It is assumed.",
		"Name is of RoleARN. Name it well.":                   "name is of role_arn. Name it well.",
		"X is [*ecr.Thing] with Config.RemoveAfter":           "X is ecr.Thing with remove_after",
		"sent to JWKSURL. nil means new(true).":               "sent to jwks_url. Left out means true.",
	} {
		require.Equal(t, want, sentence(doc, "", keys))
	}
}
