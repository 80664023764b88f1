package operator

import "github.com/rise-deploy/rise-registry-go/examples/internal/schema"

type schemaCmd struct{}

// Run prints the schema of the whole or, with a section, of the service's files.
func (schemaCmd) Run(env *environment) error {
	text, err := schema.Of(env.loader, env.factory)
	if err == nil {
		_, err = env.stdout.Write(text)
	}
	return err
}
