// Package schema makes the JSON Schema of the programs' configuration, with descriptions from the doc comments of this repository's configuration types.
package schema

import (
	_ "embed"
	"encoding/json"
	"reflect"
	"sync"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/registry"
)

//go:generate go run ./generate

// descriptionsFile has the types' and fields' descriptions by "path/of/package.Type" and "path/of/package.Type.Field".
//
//go:embed descriptions.json
var descriptionsFile []byte

var descriptions = sync.OnceValues(func() (all map[string]string, err error) {
	return all, json.Unmarshal(descriptionsFile, &all)
})

// Of returns the schema of the server's configuration or, if loader has a Section, of the files that have the registry section there. Its registry section is one of the
// factory's types; types from elsewhere have no descriptions.
func Of(loader configload.Loader, factory *registry.Factory) ([]byte, error) {
	all, err := descriptions()
	if err != nil {
		return nil, err
	}
	describe := func(t reflect.Type, field string) string {
		key := t.PkgPath() + "." + t.Name()
		if field != "" {
			key += "." + field
		}
		return all[key]
	}
	if loader.Section != "" {
		return loader.Schema(factory.Config(), describe)
	}
	return loader.Schema(config.Default(factory), describe)
}
