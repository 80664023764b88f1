package provider

import (
	"context"

	"github.com/google/go-containerregistry/pkg/name"
)

// A Provider hands out credentials for one container registry. It is safe for concurrent use.
//
// Callers should prefer [Issue] to calling Credentials themselves: it also checks the answer.
type Provider interface {
	// Repository returns where project's images are, as consumer has to name it. It does no I/O and doesn't say whether
	// the repository exists. The repository's path ends in the project's name.
	//
	// An unacceptable project or consumer is [ErrInvalidRequest].
	Repository(project string, consumer Consumer) (name.Repository, error)

	// Credentials returns a credential for exactly r, or an error. It ends soon after ctx does.
	//
	// Errors are [*Error]; an unacceptable r is [ErrInvalidRequest] and causes no I/O.
	Credentials(ctx context.Context, r Request) (Credentials, error)
}
