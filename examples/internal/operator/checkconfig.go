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
// goes to stderr, and so does the verdict.
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
	issued, err1 := sentences(env, c.Auth.OIDC)
	warned, err2 := warn(env, c.Registry.Section())
	if err = errors.Join(err, err1, err2, provider.Close(p)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stderr, "ok: the configuration is valid, of type %s%s\n", c.Registry.Type, counted(issued+warned, ", with %d warning"))
	return err
}

// counted is a format of one, for n; nothing for none.
func counted(n int, format string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(format, n)
	}
	return fmt.Sprintf(format+"s", n)
}

// sentences says what issuers' tokens may, and what of that may not be meant: so many warnings.
func sentences(env *environment, issuers []oidc.Issuer) (warnings int, _ error) {
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
			warnings++
		}
	}
	return warnings, errors.Join(errs...)
}

// warn says what of a section works, but isn't as it should be.
func warn(env *environment, section any) (warnings int, _ error) {
	s, ok := section.(interface{ Warnings() []error })
	if !ok {
		return 0, nil
	}
	var errs []error
	all := s.Warnings()
	for _, warning := range all {
		_, err := fmt.Fprintf(env.stderr, "warning: %s.%v\n", cmp.Or(env.loader.Section, "registry"), warning)
		errs = append(errs, err)
	}
	return len(all), errors.Join(errs...)
}
