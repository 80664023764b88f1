package provider_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// vending is a provider in its shortest form: a machine that sells passwords.
type vending struct {
	registry name.Registry
	password func(r provider.Request) (string, time.Time)
}

func (v *vending) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	if err := provider.ValidateProject(project); err != nil {
		return name.Repository{}, err
	}
	return v.registry.Repo("apps", project), consumer.Validate()
}

func (v *vending) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	if err := errors.Join(r.Validate(), ctx.Err()); err != nil {
		return provider.Credentials{}, err
	}
	if r.AllProjects {
		return provider.Credentials{}, &provider.Error{Kind: provider.ErrUnsupported, Op: "issue"}
	}
	repository, err := v.Repository(r.Project, r.Consumer)
	if err != nil {
		return provider.Credentials{}, err
	}
	password, expiresAt := v.password(r)
	return provider.Credentials{
		Target: repository, Access: r.Access, Method: provider.LoginCredentials,
		Username: r.Access.String(), Password: provider.NewSecret(password), ExpiresAt: expiresAt,
	}, nil
}

func newVending(host string, password func(provider.Request) (string, time.Time)) *vending {
	registry, err := name.NewRegistry(host)
	if err != nil {
		panic(err)
	}
	return &vending{registry: registry, password: password}
}

func fixedPassword(provider.Request) (string, time.Time) {
	return "secret", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
}

func Example() {
	p := newVending("registry.example.com", fixedPassword)

	c, err := provider.Issue(context.Background(), p, provider.Request{Project: "hello", Access: provider.Push})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Target, c.Access, c.Username, c.Password, c.ExpiresAt.Format(time.DateOnly))

	config, err := c.DockerConfig()
	fmt.Println(string(config), err)
	// Output:
	// registry.example.com/apps/hello push push [redacted] 2099-01-01
	// {"auths":{"registry.example.com":{"auth":"cHVzaDpzZWNyZXQ="}}} <nil>
}

func ExampleIssue_invalid() {
	p := newVending("registry.example.com", fixedPassword)

	_, err := provider.Issue(context.Background(), p, provider.Request{Project: "../other", Access: provider.Push})
	fmt.Println(errors.Is(err, provider.ErrInvalidRequest))
	fmt.Println(err)
	// Output:
	// true
	// check project name: invalid request: "../other" is not valid: a project name is at most 63 characters of a-z and 0-9, with single hyphens inside
}

func ExampleCredentials_PullSecret() {
	p := newVending("registry.example.com", fixedPassword)

	c, err := provider.Issue(context.Background(), p, provider.Request{Project: "hello", Access: provider.Pull, Consumer: provider.Cluster})
	if err != nil {
		fmt.Println(err)
		return
	}
	payload, err := c.PullSecret() // the value of .dockerconfigjson
	fmt.Println(string(payload), err)
	// Output:
	// {"auths":{"registry.example.com":{"username":"pull","password":"secret","auth":"cHVsbDpzZWNyZXQ="}}} <nil>
}

func ExampleNewBuilder() {
	type section struct {
		Host string `yaml:"host"`
	}
	b := provider.NewBuilder("vending",
		func() section { return section{Host: "registry.example.com"} },
		func(_ context.Context, s section) (*vending, error) { return newVending(s.Host, fixedPassword), nil })

	p, err := b.Build(context.Background(), b.NewConfig()) // registry.Factory does this, with a section from a file
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Repository("hello", provider.Client))
	// Output:
	// registry.example.com/apps/hello <nil>
}

func ExampleAs() {
	type forgetter interface{ Forget(project string) }
	p := newVending("registry.example.com", fixedPassword)

	if f, ok := provider.As[forgetter](p); ok {
		f.Forget("hello")
	} else {
		fmt.Println(provider.TypeOf(p), "remembers nothing")
	}
	// Output:
	// *provider_test.vending remembers nothing
}
