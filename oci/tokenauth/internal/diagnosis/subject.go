package diagnosis

import (
	"context"
	"net/http"

	"github.com/rise-deploy/rise-registry-go/oci/internal/reach"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/tokenserver"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Subject is what is diagnosed.
type Subject struct {
	// Cluster and Clients are the registry as each reaches it.
	Cluster, Clients reach.Site
	// Prefix is put before a project's name; ProbeProject is one that nobody has to have.
	Prefix, ProbeProject string
	Transport            http.RoundTripper
	// Challenge reads the registry's challenge now.
	Challenge func(ctx context.Context) (*tokenserver.Known, error)
	// OwnToken asks for a token to pull with the service's own login, and doesn't compare what it can do. The question is the zero one where none was asked.
	OwnToken func(ctx context.Context, repository string) (tokenserver.Token, tokenserver.Question, error)
	// Token is likewise for the login that is for access.
	Token func(ctx context.Context, repository string, access provider.Access) (tokenserver.Token, tokenserver.Question, error)
	// ProvePull proves that the login for clusters can only pull; nil: there is none.
	ProvePull func(ctx context.Context) error
}
