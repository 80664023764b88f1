package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// A build tool asks for a credential, with the token that its platform keeps in a file.
func Example() {
	s := &service{host: "registry.example.com", method: provider.LoginCredentials, life: time.Hour}
	server := httptest.NewServer(s.handler())
	defer server.Close()
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	c, err := client.New(server.URL+client.Path, client.File(file))
	if err != nil {
		fmt.Println(err)
		return
	}
	credentials, err := c.Credentials(context.Background(), "hello", provider.Push)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(credentials.Target, credentials.Username, credentials.Password)
	config, err := credentials.DockerConfig()
	fmt.Println("a docker configuration:", len(config) > 0, err)

	_, err = c.Credentials(context.Background(), "other", provider.Push)
	fmt.Println("no such project:", errors.Is(err, provider.ErrNotFound), client.CodeOf(err))
	// Output:
	// registry.example.com/rise/hello AWS [redacted]
	// a docker configuration: true <nil>
	// no such project: true not_found
}

// What uses go-containerregistry takes a keychain. Logins at other registries stay what they are.
func ExampleClient_Keychain() {
	s := &service{host: "registry.example.com", method: provider.LoginCredentials, life: time.Hour}
	server := httptest.NewServer(s.handler())
	defer server.Close()

	c, err := client.New(server.URL+client.Path, client.Fixed(provider.NewSecret(token)), client.WithRegistry("registry.example.com"))
	if err != nil {
		fmt.Println(err)
		return
	}
	keychain := c.Keychain("hello", provider.Push, nil) // else authn.DefaultKeychain
	for _, repository := range []string{"registry.example.com/rise/hello", "docker.io/library/golang"} {
		ref, err := name.NewRepository(repository)
		if err != nil {
			fmt.Println(err)
			return
		}
		auth, err := authn.Resolve(context.Background(), keychain, ref)
		if err != nil {
			fmt.Println(err)
			return
		}
		login, err := authn.Authorization(context.Background(), auth)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %q\n", repository, login.Username)
	}
	// Output:
	// registry.example.com/rise/hello: "AWS"
	// docker.io/library/golang: ""
}
