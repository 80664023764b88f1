package realtest

import (
	"fmt"
	"path/filepath"
	"testing"
)

// AutoRedirectRegistry is [TokenRegistry] for a registry that names the host that it is asked by as its realm.
func AutoRedirectRegistry(t *testing.T, address, service, issuer string, authority []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "authority.crt")
	write(t, file, string(authority))
	registry(t, address, fmt.Sprintf(
		"auth: {token: {realm: 'https://localhost/token', autoredirect: true, service: %q, issuer: %q, rootcertbundle: %s}}\n", service, issuer, file))
}
