// Package login is who the service is at a registry's token server: a user with a password, or a workload that Azure knows.
package login

import (
	"context"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/tokenserver"
)

// Login is who asks. Implementations are safe for concurrent use.
type Login interface {
	// Prove returns what goes with a question to the token server, now. Its errors are [*provider.Error].
	Prove(ctx context.Context) (tokenserver.Proof, error)
	// Refused says that the token server didn't take p, so that it isn't used again if there can be another.
	Refused(p tokenserver.Proof)
	// Key is the configuration's that names the account, for hints.
	Key() string
}
