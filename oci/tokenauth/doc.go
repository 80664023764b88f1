// Package tokenauth serves registries that have a token server of their own, by the distribution project's token specification: GitLab's, Harbor, Quay,
// Docker Hub, Azure's, docker_auth and others. Type "oci-token-auth".
//
// The service has a login there, which never leaves it. For each request it asks the token server, with that login, for a token that can push to and pull
// from (or only pull from) the project's repository, and hands out the token:
//
//	p, err := tokenauth.New(tokenauth.Config{
//		RegistryURL: "registry.gitlab.com", Namespace: "group/apps", TokenURL: "https://gitlab.com/jwt/auth",
//		Username: "rise", PasswordFile: "/run/secrets/registry",
//	})
//	...
//	c, err := provider.Issue(ctx, p, provider.Request{Project: "hello", Access: provider.Push}) // a bearer token for group/apps/hello
//
// # What is handed out
//
// Only a token that says itself, in its claim named access, that it can do exactly what was asked. Less is [provider.ErrAccessDenied], more is
// [provider.ErrMisconfigured], and a token that doesn't say (GHCR's, Gitea's, Nexus's, Google's) is [provider.ErrUnsupported]; hints say what to change at the
// registry. The token's signature isn't looked at: it is for the registry, which takes no forged one.
//
// # Where the login goes
//
// To the token server on the registry's own host and port, over TLS unless the registry may be asked without, or to TokenURL; nowhere else, whatever the
// registry's challenge says, and never after a redirection. The challenge is compared each time that it is read.
//
// # Who can use it
//
// A bearer token ("registrytoken" in docker's configuration) is used by docker, BuildKit, crane, kaniko and all of go-containerregistry, oras and helm, until it ends: nobody
// can renew it but by asking the service again. Kubelets, containerd, podman, skopeo, regctl and others take a user name and a password only. For clusters there is
// PullUsername: a login that can only pull, which is proven before it is handed out. docs/token-servers.md has each registry and client.
package tokenauth
