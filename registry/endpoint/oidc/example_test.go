package oidc_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

// A service whose callers are GitHub's workflows: one repository's main branch may push, the owner's others pull what is theirs.
func ExampleNew() {
	issuers := []oidc.Issuer{{ // from the service's configuration
		Name:     "github",
		Issuer:   "https://token.actions.githubusercontent.com",
		Audience: "https://rise.example.com",
		Rules: []oidc.Rule{
			{
				Claims:   map[string]string{"repository_owner_id": "1234", "repository_id": "5678", "ref": "refs/heads/main"},
				Projects: []string{"shop"},
				Access:   provider.Push,
			},
			{Claims: map[string]string{"repository_owner_id": "1234"}, Projects: []string{"{repository}"}},
		},
	}}
	for _, rule := range issuers[0].Rules {
		fmt.Println(rule)
	}
	callers, err := oidc.New(issuers, nil)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/v1/registry/credentials", endpoint.New(fake{}, callers.Authenticate, callers.Authorize))
	// Output:
	// tokens that say "refs/heads/main" as ref and say "5678" as repository_id and say "1234" as repository_owner_id may push shop
	// tokens that say "1234" as repository_owner_id may pull {repository}
}
