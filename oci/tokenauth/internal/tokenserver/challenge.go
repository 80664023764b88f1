package tokenserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/internal/reach"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/bearer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Known is what a registry's challenge says, compared with what is configured.
type Known struct {
	// Base is the registry's scheme and host; Realm where tokens are asked for.
	Base, Realm *url.URL
	// Service is the registry's name for itself.
	Service string
	// Kind is whose token server it is.
	Kind Kind

	staleAt time.Time
}

const (
	// fresh is how long a challenge isn't read again.
	fresh = time.Hour
	// again is when it is, after that failed.
	again = 5 * time.Minute
)

// Client asks for tokens. It is safe for concurrent use.
type Client struct {
	place   Place
	sender  Sender
	reader  bearer.Reader
	known   atomic.Pointer[Known]
	reading chan struct{} // by one at a time
}

// New makes a Client. It does no I/O.
func New(place Place, sender Sender) *Client {
	return &Client{place: place, sender: sender, reading: make(chan struct{}, 1)}
}

// Known returns what the registry's challenge says, and reads it if that is an hour ago, or what it said led nowhere. While it can't be read, what it said
// before counts; what it says otherwise than configured is an error at once.
func (c *Client) Known(ctx context.Context) (*Known, error) {
	before := c.known.Load()
	if before != nil && time.Now().Before(before.staleAt) {
		return before, nil
	}
	if before == nil {
		select {
		case c.reading <- struct{}{}:
		case <-ctx.Done():
			return nil, &provider.Error{Kind: provider.ErrTimeout, Op: opChallenge, Err: ctx.Err()}
		}
	} else {
		select {
		case c.reading <- struct{}{}:
		default:
			return before, nil // another reads it
		}
	}
	defer func() { <-c.reading }()
	if now := c.known.Load(); now != before && now != nil {
		return now, nil // another has read it
	}
	read, err := c.Read(ctx)
	switch {
	case err == nil:
		c.known.Store(read)
		return read, nil
	case before != nil && IsTemporary(err):
		kept := *before
		kept.staleAt = time.Now().Add(again)
		c.known.Store(&kept)
		return before, nil
	}
	c.known.Store(nil)
	return nil, err
}

// forget has the challenge read again, if it is still what led to a failure.
func (c *Client) forget(k *Known) { c.known.CompareAndSwap(k, nil) }

const (
	opChallenge = "read the registry's challenge"
	theRegistry = "the registry"
)

// serviceName is what can stand between quotes in a header.
var serviceName = regexp.MustCompile(`^[ !#-\[\]-~]{1,256}$`)

// IsService reports whether a registry can call itself that.
func IsService(text string) bool { return serviceName.MatchString(text) }

// Read reads the challenge now. A realm elsewhere than configured is [provider.ErrMisconfigured]; the hint has the line that configures it.
func (c *Client) Read(ctx context.Context) (*Known, error) {
	a, base, err := c.ping(ctx)
	if err != nil {
		return nil, err
	}
	if e := unexpected(a, opChallenge, theRegistry); e != nil {
		return nil, e
	}
	const set = "check that registry_url is the registry's own host, and its token authentication: type oci-client-auth is for registries without"
	if a.status != http.StatusUnauthorized {
		return nil, fail(provider.ErrMisconfigured, opChallenge, set, "GET /v2/ without a login answered %d, and not 401 with a challenge", a.status)
	}
	challenge, err := reach.Challenge(ctx, Bearer(a.header))
	if err != nil || challenge.Scheme != "bearer" {
		return nil, fail(provider.ErrMisconfigured, opChallenge, set, "the registry asks for no token (WWW-Authenticate names no Bearer)")
	}
	realm, err := c.place.realm(challenge.Parameters["realm"], base.Scheme)
	if err != nil {
		hint := "if the registry is still the one that it should be, let its realm be on its own host, or set token_url"
		if elsewhere := (*elsewhereError)(nil); errors.As(err, &elsewhere) && elsewhere.url != "" {
			hint = "if that is the registry's token server, set " + elsewhere.url
		}
		return nil, fail(provider.ErrMisconfigured, opChallenge, hint, "%w; the login goes to its own host and port, or to token_url, and nowhere else", err)
	}
	service := challenge.Parameters["service"]
	if !IsService(service) {
		return nil, fail(provider.ErrMisconfigured, opChallenge, "set the service of the registry's token authentication (auth.token.service of distribution's registry)",
			"the registry's challenge names no service, or none of at most 256 printable characters, which tokens could be compared with")
	}
	if c.place.Service != "" && service != c.place.Service {
		return nil, fail(provider.ErrMisconfigured, opChallenge, "if the registry is still the one that it should be, set token_service to the service of its challenge",
			"the registry's challenge names another service than token_service, %+q: the tokens would be for another registry", c.place.Service)
	}
	return &Known{Base: base, Realm: realm, Service: service, Kind: kindOf(realm, service), staleAt: time.Now().Add(fresh)}, nil
}

// Bearer is the first challenge for a token among those of an answer's headers, whatever else may be used: some registries take passwords too, and say so first.
func Bearer(header http.Header) http.Header {
	for _, one := range header.Values("WWW-Authenticate") {
		if scheme, _, _ := strings.Cut(one, " "); strings.EqualFold(scheme, "bearer") {
			return http.Header{"Www-Authenticate": {one}}
		}
	}
	return http.Header{}
}

// ping asks for /v2/ without a login.
func (c *Client) ping(ctx context.Context) (a answer, base *url.URL, err error) {
	for _, scheme := range c.place.schemes() {
		base = &url.URL{Scheme: scheme, Host: c.place.Registry.RegistryStr()}
		a, err = c.sender.send(ctx, get(at(base, "/v2/")), opChallenge, theRegistry)
		if !errors.Is(err, errPlainHTTP) {
			break
		}
	}
	if errors.Is(err, errPlainHTTP) {
		return answer{}, nil, fail(provider.ErrMisconfigured, opChallenge, "let it serve TLS; or declare plain HTTP with an http:// registry_url and insecure: true",
			"the registry speaks plain HTTP")
	}
	return a, base, err
}
