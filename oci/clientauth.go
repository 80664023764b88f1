package oci

import (
	"context"
	"errors"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// TypeClientAuth is the name of type oci-client-auth in configurations.
const TypeClientAuth = "oci-client-auth"

// ClientAuthConfig is the configuration section of type "oci-client-auth".
type ClientAuthConfig struct {
	// RegistryURL is the registry as the cluster reaches it: host[:port], with or without https:// or http://, without
	// a path. Required.
	RegistryURL string `yaml:"registry_url"`
	// Namespace is put before a project's name, with a slash. Default: none.
	Namespace string `yaml:"namespace"`
	// ClientRegistryURL is the registry as clients reach it. Default: RegistryURL.
	ClientRegistryURL string `yaml:"client_registry_url"`
	// Insecure allows plain HTTP off loopback.
	Insecure bool `yaml:"insecure"`
}

// Validate returns everything that is wrong with c, as joined [*provider.ConfigError] values that hold no configured value.
func (c ClientAuthConfig) Validate() error {
	_, err := c.resolve()
	return err
}

// resolved is a ClientAuthConfig made of names.
type resolved struct {
	client, cluster name.Registry
	prefix          string // empty, or ends in a slash
}

func (c ClientAuthConfig) resolve() (resolved, error) {
	var r resolved
	var errs []error
	check := func(key string, err error) {
		if err != nil {
			errs = append(errs, provider.NewConfigError(key, "%s", err.Error()))
		}
	}
	err := errors.New("is required: the registry's host and port, such as registry.example.com or localhost:5000")
	if c.RegistryURL != "" {
		r.cluster, err = parseRegistry(c.RegistryURL, c.Insecure)
	}
	check("registry_url", err)
	r.client = r.cluster
	if c.ClientRegistryURL != "" {
		r.client, err = parseRegistry(c.ClientRegistryURL, c.Insecure)
		check("client_registry_url", err)
	}
	namespace, err := parseNamespace(c.Namespace)
	if err == nil && len(errs) == 0 {
		r.prefix, err = prefixFor(namespace, r.client, r.cluster)
	}
	check("namespace", err)
	return r, errors.Join(errs...)
}

// ClientAuth implements [provider.Provider] for type "oci-client-auth". Make it with [NewClientAuth] or
// [ClientAuthBuilder]. It is safe for concurrent use and does no I/O, diagnosis apart.
type ClientAuth struct {
	config  ClientAuthConfig
	names   resolved
	options func() options // a closure, as printers walk fields, and would come to what all of the program shares
}

var _ interface {
	provider.Provider
	provider.Typed
	diagnosis.Diagnoser
} = (*ClientAuth)(nil)

// ClientAuthBuilder returns the builder of type "oci-client-auth" for registry.NewFactory. Its section is a
// [ClientAuthConfig].
func ClientAuthBuilder(opts ...Option) provider.Builder {
	return provider.NewBuilder(TypeClientAuth, nil, func(_ context.Context, c ClientAuthConfig) (*ClientAuth, error) {
		return NewClientAuth(c, opts...)
	})
}

// NewClientAuth makes a provider. Errors are [provider.ErrMisconfigured].
func NewClientAuth(c ClientAuthConfig, opts ...Option) (*ClientAuth, error) {
	names, err := c.resolve()
	if err != nil {
		return nil, &provider.Error{Kind: provider.ErrMisconfigured, Op: "build " + TypeClientAuth + " provider", Err: err}
	}
	o := newOptions(opts)
	return &ClientAuth{config: c, names: names, options: func() options { return o }}, nil
}

// Type returns "oci-client-auth".
func (p *ClientAuth) Type() string { return TypeClientAuth }

// Repository returns <host>/<namespace>/<project>, with the host for consumer. Errors are [provider.ErrInvalidRequest].
func (p *ClientAuth) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	if err := provider.ValidateProject(project); err != nil {
		return name.Repository{}, err
	}
	if err := consumer.Validate(); err != nil {
		return name.Repository{}, err
	}
	return p.registry(consumer).Repo(p.names.prefix + project), nil
}

func (p *ClientAuth) registry(consumer provider.Consumer) name.Registry {
	if consumer == provider.Cluster {
		return p.names.cluster
	}
	return p.names.client
}

// Credentials returns r's target and no secret: the method is [provider.ClientLogin], and it doesn't expire. What the
// client can do there is up to the client's own login. Errors are [provider.ErrInvalidRequest], and
// [provider.ErrTimeout] if ctx has ended.
func (p *ClientAuth) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	if err := r.Validate(); err != nil {
		return provider.Credentials{}, err
	}
	if err := ctx.Err(); err != nil {
		return provider.Credentials{}, &provider.Error{Kind: provider.ErrTimeout, Op: "name repository", Project: r.Project, Err: err}
	}
	c := provider.Credentials{Target: p.registry(r.Consumer), Access: r.Access, Method: provider.ClientLogin}
	if !r.AllProjects {
		repository, err := p.Repository(r.Project, r.Consumer)
		if err != nil {
			return provider.Credentials{}, err
		}
		c.Target = repository
	}
	return c, nil
}
