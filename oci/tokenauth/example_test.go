package tokenauth_test

import (
	"context"
	"fmt"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/tokenauthtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// A service account of Harbor's hands out tokens for one project each.
func Example() {
	registry := tokenauthtest.NewServer(tokenauthtest.Config{Kind: tokenauthtest.Harbor, Accounts: []tokenauthtest.Account{
		{Username: "robot$rise", Password: "correct-horse", Rights: map[string][]string{"apps/*": {"pull", "push"}}},
	}})
	defer registry.Close()
	p, err := tokenauth.New(tokenauth.Config{
		RegistryURL: registry.RegistryHost, Namespace: "apps", Username: "robot$rise", Password: provider.NewSecret("correct-horse"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = provider.Close(p) }()
	c, err := provider.Issue(context.Background(), p, provider.Request{Project: "hello", Access: provider.Push})
	fmt.Println(c.Method, c.Access, err)
	_, err = provider.Issue(context.Background(), p, provider.Request{Project: "hello", Access: provider.Pull})
	fmt.Println("a pull:", provider.KindOf(err)) // Harbor's token could push: that needs a pull_username
	// Output:
	// registry_token push <nil>
	// a pull: misconfigured
}
