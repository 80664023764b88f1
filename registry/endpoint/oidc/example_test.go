package oidc_test

import (
	"context"
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

// An operator has a token that is refused, and asks why. Nothing is asked of anybody for a token whose issuer isn't configured.
func ExampleDiagnose() {
	issuers := []oidc.Issuer{{
		Name: "github", Issuer: "https://token.actions.githubusercontent.com", Audience: "https://rise.example.com",
		Rules: []oidc.Rule{{Claims: map[string]string{"repository_owner_id": "1234"}, Projects: []string{"{repository}"}}},
	}}
	token := provider.NewSecret("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2NpLmV4YW1wbGUuY29tIiwic3ViIjoiam9iIn0.AA")
	findings, err := oidc.Diagnose(context.Background(), issuers, token, "shop")
	if err != nil {
		log.Fatal(err)
	}
	for f := range findings {
		fmt.Println(f.Check, f.Status, "-", f.Summary)
		if f.Check == "token_issuer" {
			break
		}
	}
	// Output:
	// token_form passed - it is a JWT, signed with RS256
	// token_issuer failed - its issuer isn't configured
}
