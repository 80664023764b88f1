package client

import (
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
	return nil
}
