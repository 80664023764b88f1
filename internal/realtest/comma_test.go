package realtest_test

import (
	"testing"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
)

// A test's name is part of its folders' names, and these are in the registry's configuration.
func TestRegistryInAnyFolder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a, b", "{c}", "# d: [e]"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			realtest.Registry(t, true)
		})
	}
}
