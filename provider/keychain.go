package provider

import (
	"context"
	"errors"

	"github.com/google/go-containerregistry/pkg/authn"
)

// NewKeychain returns a keychain for go-containerregistry that asks p for r on each use, and so on each request to the
// registry: a push may take longer than a credential lives. Put a provider that reuses credentials behind it.
//
// The credential is given for r's own repository only (for the whole registry, if r is for all projects). Everything
// else is left to own, and so is r's repository where p answers [ClientLogin]; pass authn.DefaultKeychain to use the
// logins of the process's user. Where own is nil, other repositories are anonymous and a [ClientLogin] is
// [ErrUnsupported]. An error of p is an error of the keychain: it never falls back to own, nor to anonymous.
//
// The keychain and its authenticators honour contexts (authn.ContextKeychain, authn.ContextAuthenticator) and are safe
// for concurrent use.
func NewKeychain(p Provider, r Request, own authn.Keychain) authn.Keychain {
	return &keychain{provider: p, request: r, own: own}
}

type keychain struct {
	provider Provider
	request  Request
	own      authn.Keychain
}

func (k *keychain) Resolve(resource authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), resource)
}

func (k *keychain) ResolveContext(ctx context.Context, resource authn.Resource) (authn.Authenticator, error) {
	ours, err := k.covers(ctx, resource)
	if err != nil {
		return nil, err
	}
	if ours {
		return renewing{keychain: k, resource: resource}, nil
	}
	if k.own == nil {
		return authn.Anonymous, nil
	}
	return authn.Resolve(ctx, k.own, resource)
}

// covers reports whether resource is what the request is for.
func (k *keychain) covers(ctx context.Context, resource authn.Resource) (bool, error) {
	if err := k.request.Validate(); err != nil {
		return false, err
	}
	if k.request.AllProjects { // only a credential tells which registry that is
		c, err := Issue(ctx, k.provider, k.request)
		if err != nil {
			return false, err
		}
		return resource.RegistryStr() == c.Target.RegistryStr(), nil
	}
	repository, err := k.provider.Repository(k.request.Project, k.request.Consumer)
	if err != nil {
		return false, err
	}
	return resource.String() == repository.String(), nil
}

// renewing authenticates each use with what the provider says at that time.
type renewing struct {
	keychain *keychain
	resource authn.Resource
}

func (a renewing) Authorization() (*authn.AuthConfig, error) {
	return a.AuthorizationContext(context.Background())
}

func (a renewing) AuthorizationContext(ctx context.Context) (*authn.AuthConfig, error) {
	c, err := Issue(ctx, a.keychain.provider, a.keychain.request)
	if err != nil {
		return nil, err
	}
	if c.Method != ClientLogin {
		auth, err := c.Authenticator()
		if err != nil {
			return nil, err
		}
		return auth.Authorization()
	}
	if a.keychain.own == nil {
		return nil, &Error{
			Kind: ErrUnsupported, Op: "authenticate", Project: a.keychain.request.Project,
			Err:  errors.New("the registry takes the client's own login, and the keychain was given none"),
			Hint: "pass the login to NewKeychain, for example authn.DefaultKeychain",
		}
	}
	auth, err := authn.Resolve(ctx, a.keychain.own, a.resource)
	if err != nil {
		return nil, err
	}
	return authn.Authorization(ctx, auth)
}
