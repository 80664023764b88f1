package operator

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/provider"
)

type checkConfig struct{}

// Run prints what was loaded: all, or the section.
func (checkConfig) Run(env *environment) error {
	c, p, err := env.load()
	if err != nil {
		return err
	}
	var loaded any = c
	if env.loader.Section != "" {
		loaded = c.Registry
	}
	text, err := configload.Marshal(loaded)
	if err == nil {
		_, err = env.stdout.Write(text)
	}
	return errors.Join(err, warn(env, c.Registry.Section()), provider.Close(p))
}

// warn says what of a section works, but isn't as it should be.
func warn(env *environment, section any) error {
	s, ok := section.(interface{ Warnings() []error })
	if !ok {
		return nil
	}
	var errs []error
	for _, warning := range s.Warnings() {
		_, err := fmt.Fprintf(env.stderr, "warning: %s.%v\n", cmp.Or(env.loader.Section, "registry"), warning)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
