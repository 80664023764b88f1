package decorator_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider/decorator"
)

func TestSubjectOf(t *testing.T) {
	t.Parallel()
	require.Empty(t, decorator.SubjectOf(t.Context()))
	ctx := decorator.OnBehalfOf(t.Context(), "ci")
	require.Equal(t, "ci", decorator.SubjectOf(ctx))
	require.Empty(t, decorator.SubjectOf(decorator.OnBehalfOf(ctx, "")))
}
