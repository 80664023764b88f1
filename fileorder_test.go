package riseregistry_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/fileorder"
)

// Within a package, files call in one direction: who reads it goes down, never up. And there aren't more of them than one
// can take in. With -v, the order.
func TestFileOrder(t *testing.T) {
	t.Parallel()
	exceptions := map[string]string{}            // why a package has no order, or is too large
	packages, err := fileorder.Load(".", "work") // of this module where GOWORK=off, else of those that go.work names
	require.NoError(t, err)
	require.Greater(t, len(packages), 15)
	for _, dir := range strings.Fields(os.Getenv("RISE_TEST_MODULES")) { // whose dependencies nobody has to have for this one's tests
		more, err := fileorder.Load(dir, "./...")
		require.NoError(t, err)
		require.NotEmpty(t, more)
		packages = append(packages, more...)
	}
	for _, p := range packages {
		order, _ := p.Order()
		t.Logf("%s: %s", p.Path, strings.Join(order, " "))
		path := strings.TrimPrefix(strings.TrimPrefix(p.Path, module), "/")
		problems := p.Problems()
		if _, except := exceptions[path]; !except {
			require.Empty(t, problems)
			continue
		}
		require.NotEmpty(t, problems, "%s needs no exception any longer", p.Path)
	}
	for path := range exceptions {
		require.DirExists(t, path)
	}
}
