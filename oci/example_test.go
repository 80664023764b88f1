package oci_test

import (
	"context"
	"fmt"

	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// The library names the repository, and the client uses the login that it has. Clusters reach this registry by another name
// than people do.
func ExampleNewClientAuth() {
	p, err := oci.NewClientAuth(oci.ClientAuthConfig{
		RegistryURL: "rise-registry:5000", ClientRegistryURL: "registry.example.com", Namespace: "rise-apps",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, consumer := range []provider.Consumer{provider.Client, provider.Cluster} {
		c, err := provider.Issue(context.Background(), p, provider.Request{Project: "hello", Access: provider.Pull, Consumer: consumer})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(c.Target, c.Method)
	}
	// Output:
	// registry.example.com/rise-apps/hello client_login
	// rise-registry:5000/rise-apps/hello client_login
}
