package diagnosis

import (
	"net/http"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/internal/reach"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/keys"
)

// Subject is what is diagnosed: a configuration, and what its provider does.
type Subject struct {
	// Cluster and Clients are the registry as these reach it.
	Cluster, Clients reach.Site
	// Service and Issuer are what the registry has to be told.
	Service, Issuer string
	// Prefix is that of the repositories: empty, or it ends in a slash.
	Prefix string
	// Transport reaches registries.
	Transport http.RoundTripper
	Keys      *keys.Source

	// Grant makes one that was made and has ended when they say. Nothing else than that is wrong with it.
	Grant func(made, ends time.Time) (username, password string, err error)
	// Token makes one as the service does, but for what its argument says.
	Token func(Token) (string, error)
	// Expired, Forged and Missing are what the service says of a grant that has expired, of one that isn't its own, and where there is none.
	Expired, Forged, Missing string
}

// Token is what a token is to say. The zero value of a field is what the service's own have.
type Token struct {
	Ring            *keys.Ring
	Issuer, Service string
	Made            time.Time
	Life            time.Duration
	// Repository is in the registry. Without one it is a login, which opens nothing.
	Repository string
	Actions    []string
}

// What to do about a signing certificate, as the ends of sentences.
const (
	// OwnAuthority is about one that isn't of an authority of its own.
	OwnAuthority = "use one of an authority that signs nothing else, as registries take tokens signed with any certificate below it"
	// Renew is about one that ends.
	Renew = "make a new one in time, as with it every push and pull ends"
)
