package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// types are the provider types that a factory knows.
type types struct{ builders map[string]provider.Builder }

// names returns them sorted.
func (t *types) names() []string { return slices.Sorted(maps.Keys(t.builders)) }

func (t *types) unknown(typ string) string {
	return fmt.Sprintf("unknown type %q; known types are %s", typ, strings.Join(t.names(), ", "))
}

func (t *types) required() string {
	return "is required: one of " + strings.Join(t.names(), ", ")
}
