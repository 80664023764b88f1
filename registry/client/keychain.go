package client

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Keychain returns a keychain for go-containerregistry that gives project's credential to all that is asked of the registry's host, and asks
// [Client.Credentials] on each use: a push may take longer than a credential lives. Repositories there that the credential doesn't open, the registry refuses.
//
// Everything else is left to own, and so is the registry where the method is [provider.ClientLogin]; pass authn.DefaultKeychain to use the logins of the
// process's user. Where own is nil, other registries are anonymous and a ClientLogin is [provider.ErrUnsupported]. An error of the endpoint is an error of
// the keychain: it never falls back to own, nor to anonymous.
//
// Which host that is, [WithRegistry] says; else the endpoint's first answer does, which is asked for with whatever comes first, even for another registry.
//
// The keychain and its authenticators honour contexts (authn.ContextKeychain, authn.ContextAuthenticator) and are safe for concurrent use.
func (c *Client) Keychain(project string, access provider.Access, own authn.Keychain) authn.Keychain {
	k := &keychain{client: c, project: project, access: access, own: own}
	k.host.Store(&c.registry)
	return k
}

type keychain struct {
	client  *Client
	project string
	access  provider.Access
	own     authn.Keychain
	host    atomic.Pointer[string] // empty: not known yet
}

func (k *keychain) Resolve(resource authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), resource)
}

func (k *keychain) ResolveContext(ctx context.Context, resource authn.Resource) (authn.Authenticator, error) {
	host := *k.host.Load()
	if host == "" {
		c, err := k.client.Credentials(ctx, k.project, k.access)
		if err != nil {
			return nil, err
		}
		host = c.Target.RegistryStr()
		k.host.Store(&host)
	}
	if strings.EqualFold(resource.RegistryStr(), host) {
		return renewing{keychain: k, resource: resource, host: host}, nil
	}
	if k.own == nil {
		return authn.Anonymous, nil
	}
	return authn.Resolve(ctx, k.own, resource)
}

// renewing authenticates each use with what the endpoint says at that time.
type renewing struct {
	keychain *keychain
	resource authn.Resource
	host     string
}

func (a renewing) Authorization() (*authn.AuthConfig, error) {
	return a.AuthorizationContext(context.Background())
}

func (a renewing) AuthorizationContext(ctx context.Context) (*authn.AuthConfig, error) {
	k := a.keychain
	c, err := k.client.Credentials(ctx, k.project, k.access)
	if err != nil {
		return nil, err
	}
	fail := func(kind provider.Kind, problem, hint string) (*authn.AuthConfig, error) {
		return nil, &provider.Error{Kind: kind, Op: "authenticate", Project: k.project, Hint: hint, Err: errors.New(problem)}
	}
	if host := c.Target.RegistryStr(); !strings.EqualFold(host, a.host) { // it moved: what this is asked by is the former one
		k.host.Store(&host)
		return fail(provider.ErrBadResponse, "the credential is for the registry "+host+" now, not for "+a.host, "use the project's repository there")
	}
	if c.Method != provider.ClientLogin {
		auth, err := c.Authenticator()
		if err != nil {
			return nil, err
		}
		return auth.Authorization()
	}
	if k.own == nil {
		return fail(provider.ErrUnsupported, "the registry takes the client's own login, and the keychain was given none",
			"pass the login to Keychain, for example authn.DefaultKeychain")
	}
	auth, err := authn.Resolve(ctx, k.own, a.resource)
	if err != nil {
		return nil, err
	}
	return authn.Authorization(ctx, auth)
}
