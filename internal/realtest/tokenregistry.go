package realtest

import (
	"fmt"
	"path/filepath"
	"testing"
)

// TokenRegistries are the programs of registries with token authentication, by what they are: Debian's, and distribution's own, built from its module.
var TokenRegistries = map[string]string{"docker-registry 2.8": "docker-registry", "distribution 3.1": "registry"}

// TokenRegistry starts Debian's docker-registry at address, taking tokens of that issuer for that service, signed below the authority, a certificate in PEM.
// Deleting is on.
func TokenRegistry(t *testing.T, address, realm, service, issuer string, authority []byte) {
	t.Helper()
	TokenRegistryOf(t, "docker-registry", address, realm, service, issuer, authority)
}

// TokenRegistryOf is TokenRegistry for one of the programs of TokenRegistries.
func TokenRegistryOf(t *testing.T, program, address, realm, service, issuer string, authority []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "authority.crt")
	write(t, file, string(authority))
	registry(t, program, address, fmt.Sprintf("auth: {token: {realm: %q, service: %q, issuer: %q, rootcertbundle: %q}}\n", realm, service, issuer, file))
}

// AutoRedirectRegistry is [TokenRegistry] for one that names the host that it is asked by as its realm.
func AutoRedirectRegistry(t *testing.T, address, service, issuer string, authority []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "authority.crt")
	write(t, file, string(authority))
	registry(t, "docker-registry", address, fmt.Sprintf(
		"auth: {token: {realm: 'https://localhost/token', autoredirect: true, service: %q, issuer: %q, rootcertbundle: %q}}\n", service, issuer, file))
}
