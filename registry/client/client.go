package client

import (
	"context"
	"errors"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Path is where a service has its credentials endpoint, unless the URL that it is given says otherwise.
const Path = "/api/v1/registry/credentials"

// A Client asks one service's endpoint, as one caller. What it was given it keeps, in memory alone. It is safe for concurrent use, and needs no
// closing.
type Client struct {
	options
	source TokenSource
}

// New returns a client of the endpoint of the service at endpoint, which identifies itself by the tokens of source. It asks nobody yet.
//
// endpoint is the service's base URL, as "https://deploy.example.com"; [Path] is added unless it has a path of its own. http:// is for this machine
// only (localhost, 127.0.0.1, ::1), unless [WithInsecure] is given. Errors are [provider.ErrMisconfigured].
func New(endpoint string, source TokenSource, opts ...Option) (*Client, error) {
	return nil, errors.New("not there yet")
}

// Credentials returns a credential for project's repository, which is alive and what was asked for: a kept one, or what the endpoint answers now.
// Its Method is [provider.ClientLogin] where the registry takes the login that the user has there already.
//
// Errors are [*provider.Error]. Their text says what to do about it, their Details have "status" and "code" where the endpoint answered; see also [CodeOf].
//
//	[provider.ErrInvalidRequest]  400: the project's name, or the access, isn't valid; or so says [provider.Request.Validate], without asking
//	[provider.ErrAccessDenied]    401: the token isn't accepted
//	[provider.ErrNotFound]        404: there is no such project, or the caller has no right to it
//	[provider.ErrConflict]        409: the project doesn't accept this at present
//	[provider.ErrThrottled]       429, still after what was tried again; RetryAfter
//	[provider.ErrUnavailable]     500, 502, 503, a connection that is refused or lost, a name that can't be resolved
//	[provider.ErrTimeout]         504, no answer in time, or ctx ended
//	[provider.ErrBadResponse]     an answer that isn't a credential, or isn't the one that was asked for
//	[provider.ErrMisconfigured]   no token, a certificate that isn't trusted, a redirect, no endpoint at this URL
func (c *Client) Credentials(ctx context.Context, project string, access provider.Access) (provider.Credentials, error) {
	return provider.Credentials{}, errors.New("not there yet")
}

// Forget drops what is kept for project, so that the next one who asks gets another credential: for when a registry refuses the kept one. What
// is being asked for right now isn't kept either.
func (c *Client) Forget(project string) {}

// CodeOf returns the endpoint's code in err, as "not_found" or "upstream_denied" (see package registry/endpoint), and "" where no endpoint gave one.
func CodeOf(err error) string { return "" }
