// Package client asks a service's credentials endpoint (package registry/endpoint) for credentials, for programs that use a registry: build
// tools, credential helpers, kubelets' plugins, controllers.
//
//	c, err := client.New("https://deploy.example.com", client.GitHubActions("deploy.example.com"))
//	…
//	credentials, err := c.Credentials(ctx, "hello", provider.Push)
//
// or, for go-containerregistry, a keychain that asks again whenever a login is needed, so that a push may take longer than a credential lives:
//
//	remote.Write(ref, image, remote.WithAuthFromKeychain(c.Keychain("hello", provider.Push, authn.DefaultKeychain)))
//
// # Keeping
//
// A credential is kept until half of its life is over (five minutes for one that doesn't expire) and given to everybody who asks for the same
// meanwhile. Then the endpoint is asked again, by one request at a time for each project and access, whose answer all get who wait for it. While
// the endpoint can't be reached or fails, what is kept goes on being given until a tenth of its life is left; once it refuses, no longer.
//
// # Trying again
//
// What is tried again is what the answer says may be: 429 and 503, when their Retry-After has passed, and connections that were refused or
// lost. It ends with the caller's context, and after [WithPatience]; where Retry-After is longer than that, the error comes at once.
//
// # The token
//
// It goes to the endpoint's URL and nowhere else: redirects aren't followed, and neither errors nor logs have it, not even where a server
// sends it back.
package client
