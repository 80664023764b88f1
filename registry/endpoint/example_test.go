package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing/fstest"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// deploy is a service of one's own: its configuration, its users, its rules.
type deploy struct {
	Listen   string            `yaml:"listen"`
	Tokens   []token           `yaml:"tokens"`
	Owners   map[string]string `yaml:"owners"` // team by project
	Registry registry.Config   `yaml:"registry"`
}

// token is a secret in a field of its own: as keys of a map, tokens would show in errors of configload.
type token struct {
	Token provider.Secret `yaml:"token"`
	Team  string          `yaml:"team"`
}

type team string

func (t team) Subject() string { return string(t) }

func (d *deploy) authenticate(r *http.Request) (team, error) {
	bearer, ok := endpoint.BearerToken(r)
	if !ok {
		return "", endpoint.ErrUnauthenticated
	}
	for _, t := range d.Tokens {
		if t.Token.Equal(bearer) {
			return team(t.Team), nil
		}
	}
	return "", endpoint.ErrUnauthenticated
}

func (d *deploy) authorize(_ context.Context, t team, r provider.Request) error {
	if owner, ok := d.Owners[r.Project]; !ok || owner != string(t) {
		return provider.ErrNotFound // whether or not there is such a project
	}
	return nil
}

// A service with its own configuration and authorization.
func Example() {
	files := fstest.MapFS{"development.yaml": &fstest.MapFile{Data: []byte(`
listen: 127.0.0.1:8080
tokens: [{token: token-of-blue, team: blue}, {token: token-of-red, team: red}]
owners: {hello: blue, other: red}
registry: {type: oci-client-auth, registry_url: "registry.example.com"}
`)}}
	factory, err := registry.NewFactory(oci.ClientAuthBuilder())
	if err != nil {
		fmt.Println(err)
		return
	}
	service := &deploy{Registry: factory.Config()}
	if err := (configload.Loader{FS: files}).Load(service); err != nil {
		fmt.Println(err)
		return
	}
	p, err := factory.Build(context.Background(), service.Registry)
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/credentials", endpoint.New(p, service.authenticate, service.authorize,
		endpoint.WithAudit(func(_ context.Context, e endpoint.Event) error {
			fmt.Println("audit:", e.Subject, e.Project, e.Outcome)
			return nil
		})))
	server := httptest.NewServer(mux)
	defer server.Close()

	for _, project := range []string{"hello", "other"} {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL+"/credentials?project="+project, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		r.Header.Set("Authorization", "Bearer token-of-blue")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(resp.StatusCode, " ", string(body))
	}
	// Output:
	// audit: blue hello issued
	// 200 {"credentials":{"registry_url":"registry.example.com/hello","username":"","password":"","auth_method":"login_credentials"},"repository":"hello"}
	// audit: blue other refused
	// 404 {"error":"There is no such project, or you have no right to it.","code":"not_found"}
}
