package config

import (
	"net/url"
	"strings"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// EmbeddedRegistry is an OCI registry inside the server, in memory. It is off without an address. With type oci-token-issuer it takes that one's tokens
// alone, which are signed with keys made at each start; with any other it is open to everybody.
type EmbeddedRegistry struct {
	// Listen is its address. Default: none, and so no such registry.
	Listen string `yaml:"listen"`
	// Realm is where clients of the registry ask for tokens: a URL. By default it is at the registry itself, by the name that the client knows
	// it by, which works on this machine alone.
	Realm string `yaml:"realm"`
}

func isIssuer(section any) bool {
	_, ok := section.(*tokenissuer.Config)
	return ok
}

func (e EmbeddedRegistry) offLoopback() bool {
	loopback, err := onLoopback(e.Listen)
	return err == nil && !loopback
}

// validate checks e, beside that section of the registry's. insecure allows plain HTTP off loopback.
func (e EmbeddedRegistry) validate(section any, insecure bool) (errs []error) {
	fail := func(key, format string, args ...any) {
		errs = append(errs, provider.NewConfigError("embedded_registry."+key, format, args...))
	}
	c, issuer := section.(*tokenissuer.Config)
	if e.Realm != "" {
		switch realm, err := url.Parse(e.Realm); {
		case e.Listen == "" || !issuer:
			fail("realm", "needs embedded_registry.listen, and registry.type "+tokenissuer.Type)
		case err != nil || realm.Scheme != "https" && realm.Scheme != "http" || realm.Hostname() == "" || realm.User != nil || realm.Fragment != "" || strings.ContainsAny(e.Realm, "\"\\ "):
			fail("realm", "must be a URL such as https://registry.example.com/token")
		case realm.Scheme == "http" && !isLoopback(realm.Hostname()) && !insecure:
			fail("realm", "is plain HTTP off loopback, where passwords would be in the clear: use https, or declare it with server.insecure: true")
		}
	}
	if e.Listen == "" {
		return errs
	}
	switch loopback, err := onLoopback(e.Listen); {
	case err != nil:
		fail("listen", "%s", err)
	case !loopback && !issuer:
		fail("listen", "must be on loopback: the registry lets everybody in")
	case !loopback && e.Realm == "":
		fail("listen", "is off loopback, which needs embedded_registry.realm: where clients ask for tokens")
	case !loopback && !insecure:
		fail("listen", "is off loopback and plain HTTP, which needs server.insecure: true, where something in front of it ends TLS")
	}
	if issuer && c.SigningKeyFile != "" {
		fail("listen", "has keys of its own, made at each start: leave registry.signing_key_file and signing_cert_file out")
	}
	return errs
}
