package operator

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

type checkConfig struct{}

// Run prints what was loaded: all, or the section; then, as comments, the rules for OIDC tokens as sentences. What works, but isn't as it should be,
// goes to stderr.
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
	return errors.Join(err, sentences(env, c.Auth.OIDC), warn(env, c.Registry.Section()), provider.Close(p))
}

// sentences says what issuers' tokens may, and what of that may not be meant.
func sentences(env *environment, issuers []oidc.Issuer) error {
	var errs []error
	for n := range issuers {
		for r, rule := range issuers[n].Rules {
			_, err := fmt.Fprintf(env.stdout, "# %s, rules[%d]: %v\n", issuers[n].Name, r, rule)
			errs = append(errs, err)
		}
	}
	for n := range issuers {
		for _, warning := range issuers[n].Warnings() {
			_, err := fmt.Fprintf(env.stderr, "warning: auth.oidc[%d]: %s\n", n, warning)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
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
