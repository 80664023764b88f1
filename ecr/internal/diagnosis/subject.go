package diagnosis

import (
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Subject is what is diagnosed: what a configuration names, and what its provider does for requests. It is for reading only.
type Subject struct {
	// Setup is what the configuration names, with defaults filled in.
	Setup policy.Setup
	// AWS is asked with the provider's own clients.
	AWS *awsapi.Client
	// StaticKeys tells whether the configuration has access_key_id, and Insecure whether it allows plain HTTP.
	StaticKeys, Insecure bool
	// Doubts are what the configuration is warned of.
	Doubts []Doubt

	// HandedOut is the image registry's host that credentials are for, and HostConfigured tells whether registry_host names it.
	HandedOut      string
	HostConfigured bool
	// Agrees reports whether a host that ECR names is the image registry that is handed out, by whichever of its names.
	Agrees func(host string) bool

	// SessionOf returns the whole of a request's session, also where the request lacks an id that is demanded of it.
	SessionOf func(provider.Request) (awsapi.SessionInput, error)
}

// Doubt is what works, but isn't as it should be, and what to do.
type Doubt struct{ Is, Remedy string }
