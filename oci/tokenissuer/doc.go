// Package tokenissuer serves registries with token authentication (distribution's, zot and others by the distribution project's token
// specification) whose tokens this service signs: type "oci-token-issuer".
//
// What a project is handed out is a user name and a grant, which is good at this service's /token alone. docker, podman, containerd and
// all others go there by the registry's own challenge, show the grant, and get a token for the registry that can do what the
// grant and the question have in common, for a few minutes. They do so again by themselves while a push takes longer.
//
//	p, err := tokenissuer.New(tokenissuer.Config{
//		RegistryURL: "registry.example.com", Namespace: "rise-apps",
//		SigningKeyFile: "keys/tls.key", SigningCertFile: "keys/tls.crt",
//	})
//	...
//	mux.Handle("/token", p.Handler(
//		func(ctx context.Context, q tokenissuer.Question) error { // is this grant still good?
//			return projects.MayStillPush(ctx, q.Request.Project, q.Request.ProjectID, q.MadeAt)
//		},
//		endpoint.Logins(p, authenticate, authorize), // the passwords that aren't grants
//	))
//
// The registry is told where that is, and which authority's signatures count (distribution's configuration):
//
//	auth:
//	  token:
//	    realm: https://registry.example.com/token   # the registry's own host, or a public name
//	    service: registry.example.com               # token_service
//	    issuer: rise                                # token_issuer
//	    rootcertbundle: /etc/registry/authority.crt # the signing certificate's authority, made for this alone, and no other
//
// Package tokenkeys makes that authority and the signing keys.
//
// # What a grant, and what a token can do
//
// A grant is a JWT under a key that is derived from the signing key, so that no registry can take one for a token, whatever it leaves
// unchecked. It names the token service and issuer, project and id, repository, access, caller and its end, and all of it is compared at each
// exchange; then the service is asked whether it is still good. So a project that is suspended, deleted, or whose
// name is another's now, has no more use of its grants after token_duration, the minute that registries are lenient, and five seconds.
// A token never names another repository than the grant's and the shared ones, and never an action but pull and push: not
// delete, not the catalog.
package tokenissuer
