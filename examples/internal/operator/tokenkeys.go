package operator

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
)

// tokenKeysCmd makes and rotates what type oci-token-issuer signs with.
type tokenKeysCmd struct {
	Dir    string `required:"" placeholder:"DIR" predictor:"dir" help:"The directory of the keys. It is made if it isn't there; nothing in it is overwritten."`
	Rotate string `placeholder:"STEP" enum:",add,use,drop,all" default:"" help:"Replace the signing key: add a new one; use it, ten minutes later or more; drop the old one, session_duration later. Or all, for a service of one replica."`
	CAKey  string `name:"ca-key" placeholder:"FILE" predictor:"file" help:"The authority's own key, which a new signing key needs. Default: ca.key in DIR."`
}

// unconfigured is what a registry is told where no configuration says how it is named.
const unconfigured = "registry.example.com"

// longestSession is what session_duration is at most: how long grants may live for all that this command knows without a configuration.
const longestSession = 12 * time.Hour

// issuer is what of the configuration counts here.
type issuer struct {
	tokenissuer.Challenge
	session time.Duration
	note    string
}

// Run prints what registries have to be given, and says what was done and what comes next.
func (c tokenKeysCmd) Run(env *environment) error {
	i, err := c.issuer(env)
	if err != nil {
		return err
	}
	d := tokenkeys.Dir{Path: c.Dir, AuthorityKeyFile: c.CAKey}
	step := map[string]func() (tokenkeys.Keys, error){
		"": d.Make, "add": d.Add, "use": d.Use,
		"drop": func() (tokenkeys.Keys, error) { return d.Drop(i.session) },
		"all":  func() (tokenkeys.Keys, error) { return d.Rotate(i.session) },
	}[c.Rotate]
	keys, err := step()
	if err != nil {
		return explainKeys(err)
	}
	text, err := c.forRegistries(i)
	if err != nil {
		return err
	}
	_, said := fmt.Fprint(env.stderr, c.report(keys, i))
	_, printed := env.stdout.Write(text)
	return errors.Join(said, printed)
}

// issuer reads the configuration. It needn't be there, nor whole: it names files that this command is about to make.
func (c tokenKeysCmd) issuer(env *environment) (issuer, error) {
	i := issuer{
		Challenge: tokenissuer.Challenge{Realm: "https://" + unconfigured + "/token", Service: unconfigured, Issuer: tokenissuer.DefaultConfig().TokenIssuer},
		session:   longestSession,
	}
	if config.BuiltInMode(env.loader) != "" {
		i.note = "note: there is no configuration: put the registry's host in place of " + unconfigured + " below"
		return i, nil
	}
	loaded, err := env.configuration()
	if err != nil {
		return issuer{}, err
	}
	section, ok := loaded.Registry.Section().(*tokenissuer.Config)
	if !ok {
		i.note = "note: the configuration is of type " + loaded.Registry.Type + ": put the registry's host in place of " + unconfigured + " below"
		return i, nil
	}
	if i.Challenge, err = section.Challenge(); err != nil {
		return issuer{}, err
	}
	if strings.HasPrefix(i.Realm, "http://") && !strings.Contains(section.RegistryURL+section.ClientRegistryURL, "://") {
		i.note = "note: a registry on loopback is taken for one of plain HTTP, as is its realm below: if it has TLS, let registry_url begin with https://"
	}
	if i.session = section.SessionDuration; i.session == 0 {
		i.session = tokenissuer.DefaultConfig().SessionDuration
	}
	return i, nil
}

// explainKeys says what to run after an error.
func explainKeys(err error) error {
	switch {
	case errors.Is(err, tokenkeys.ErrExpired):
		return fmt.Errorf("%w: no push or pull works; make a new key with --rotate all", err)
	case errors.Is(err, tokenkeys.ErrNoKeys):
		return fmt.Errorf("%w: make them first, without --rotate", err)
	case errors.Is(err, tokenkeys.ErrNoAuthorityKey):
		return fmt.Errorf("%w, with --ca-key", err)
	}
	return err
}

// forRegistries is what a registry's configuration needs.
func (c tokenKeysCmd) forRegistries(i issuer) ([]byte, error) {
	var distribution struct {
		Auth struct {
			Token struct {
				Realm          string `yaml:"realm"`
				Service        string `yaml:"service"`
				Issuer         string `yaml:"issuer"`
				RootCertBundle string `yaml:"rootcertbundle"`
			} `yaml:"token"`
		} `yaml:"auth"`
	}
	token := &distribution.Auth.Token
	token.Realm, token.Service, token.Issuer, token.RootCertBundle = i.Realm, i.Service, i.Issuer, "/etc/docker/registry/rise-token-ca.crt"
	section, err := configload.Marshal(distribution)
	if err != nil {
		return nil, err
	}
	zot, err := json.Marshal(map[string]any{"http": map[string]any{"auth": map[string]any{"bearer": map[string]string{
		"realm": i.Realm, "service": i.Service, "cert": "/etc/zot/rise-token.crt",
	}}}})
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `# For distribution's registry. rootcertbundle is a copy of %s, and of no other authority:
# the registry takes what any certificate below one of its authorities signs.
%s
# For zot instead, as part of its config.json. cert is a copy of %s:
#   %s
# A key that zot has is for it alone: it looks at no service and no issuer.
`, c.path("ca.crt"), section, c.path("tls.crt"), zot), nil
}

func (c tokenKeysCmd) path(name string) string { return filepath.Join(c.Dir, name) }

// report is what was done, what there is, and what to do next.
func (c tokenKeysCmd) report(keys tokenkeys.Keys, i issuer) string {
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, path := range keys.Made {
		say("made %s", path)
	}
	for _, id := range keys.Dropped {
		say("dropped key %s", id)
	}
	for n, k := range keys.Keys {
		switch {
		case !k.Replaced.IsZero():
			say("key %s was replaced: to be dropped from %s on", k.ID, moment(k.DroppableFrom(i.session)))
		case n == 0:
			say("key %s signs: its certificate ends on %s", k.ID, moment(k.Ends))
		default:
			say("key %s waits: to be used from %s on", k.ID, moment(k.UsableFrom()))
		}
	}
	for _, w := range keys.Warnings {
		say("warning: %s", w)
	}
	switch left := time.Until(keys.Keys[0].Ends); {
	case left <= 0:
		say("warning: the signing certificate has expired, and no push or pull works until another key signs")
	case left < soon && len(keys.Keys) == 1:
		say("warning: the signing certificate ends in %d days, and with it every push and pull: --rotate add", int(left.Hours()/24))
	}
	if time.Until(keys.AuthorityEnds) < tokenkeys.DefaultLife {
		say("warning: the authority ends on %s, and what it signs with it: make another one in another directory, and give registries both meanwhile", moment(keys.AuthorityEnds))
	}
	if keys.AuthorityKey != "" {
		say("%s: keep it off the service's machine; it is needed for --rotate add and all only", keys.AuthorityKey)
	}
	if i.note != "" {
		lines = append(lines, i.note)
	}
	return strings.Join(append(lines, c.next(keys, i)...), "\n") + "\n"
}

// next is what is left to do after a step.
func (c tokenKeysCmd) next(keys tokenkeys.Keys, i issuer) []string {
	both := c.path("tls.key") + " and " + c.path("tls.crt")
	const (
		distribution = "distribution's registry needs nothing, not even a restart: the new key is below the same authority"
		zot          = "zot takes one key alone: copy the new tls.crt to its cert and restart it at once. Until then it refuses the new key's tokens, from then on the old one's"
	)
	switch {
	case c.Rotate == "" && len(keys.Made) > 0:
		return []string{"next: signing_key_file and signing_cert_file are " + both + "; the registry needs what follows, and a restart, whichever it is"}
	case c.Rotate == "add":
		return []string{"next: bring " + both + " to every replica, which read them again by themselves; then --rotate use. Registries need nothing yet"}
	case c.Rotate == "use":
		return []string{"next: bring " + both + " to every replica; then, " + i.session.String() + " after the last one has them, --rotate drop", distribution, zot}
	case c.Rotate == "drop" && len(keys.Dropped) == 0:
		return []string{"there was no key to drop"}
	case c.Rotate == "drop":
		return []string{"next: bring " + c.path("tls.key") + " to every replica. Registries need nothing"}
	case c.Rotate == "all":
		return []string{"next: bring " + both + " to the replica; the next --rotate all drops the old key", distribution, zot}
	}
	return nil
}

// soon is when the end of a certificate is worth a warning.
const soon = 30 * 24 * time.Hour

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
