// Package oci serves registries that speak the OCI distribution API (OCI distribution-spec v1.1; Docker Registry HTTP API
// V2) and have no credentials of their own to hand out.
//
// Type "oci-client-auth" tells a client where a project's images are, and the client uses the login that it has:
//
//	p, err := oci.NewClientAuth(oci.ClientAuthConfig{RegistryURL: "registry.example.com", Namespace: "rise-apps"})
//	...
//	repository, err := p.Repository("hello", provider.Client) // registry.example.com/rise-apps/hello
//
// It isolates nothing: whoever may push to the registry may push to every project. Use it for development, or with a
// registry that tells projects apart by the clients' own logins.
//
// Plain HTTP is used on loopback, and elsewhere only where Insecure or an http:// URL with Insecure declares it. Note that
// go-containerregistry itself tries plain HTTP, after HTTPS, for private IPv4 addresses and for names under .localhost.
package oci
