package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/fileorder"
)

// As in the modules of go.work: files have an order.
func TestFileOrder(t *testing.T) {
	t.Parallel()
	packages, err := fileorder.Load(".", "./...")
	require.NoError(t, err)
	for _, p := range packages {
		require.Empty(t, p.Problems())
	}
}
