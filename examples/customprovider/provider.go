// Package customprovider is a provider as a third party would write it, for a registry behind a gate that knows one shared
// key: user names say what is allowed until when, and the password is the key's signature (HMAC-SHA256) under that. The
// gate needs no state and no call to us; see [Check].
package customprovider

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Config is the section of type "signed-login".
type Config struct {
	Host     string          `yaml:"host"`     // host or host:port of the gate
	Key      provider.Secret `yaml:"key"`      // shared with the gate; at least 32 characters
	Lifetime time.Duration   `yaml:"lifetime"` // of a login: 1m to 24h, default 15m
}

// Validate reports all that is wrong, by key.
func (c Config) Validate() error {
	var errs []error
	if _, err := name.NewRegistry(c.Host, name.StrictValidation); err != nil || !strings.ContainsAny(c.Host, ".:") {
		errs = append(errs, provider.NewConfigError("host", "must be host or host:port"))
	}
	if len(c.Key.Reveal()) < 32 {
		errs = append(errs, provider.NewConfigError("key", "must be at least 32 characters"))
	}
	if l := c.lifetime(); l < time.Minute || l > 24*time.Hour {
		errs = append(errs, provider.NewConfigError("lifetime", "must be between 1m and 24h"))
	}
	return errors.Join(errs...)
}

// lifetime is the default where a Config written in Go leaves it out.
func (c Config) lifetime() time.Duration { return cmp.Or(c.Lifetime, 15*time.Minute) }

const typ = "signed-login"

// Builder is what a service passes to registry.NewFactory.
func Builder() provider.Builder {
	defaults := func() Config { return Config{Lifetime: Config{}.lifetime()} }
	return provider.NewBuilder(typ, defaults, func(_ context.Context, c Config) (*Provider, error) {
		host, err := name.NewRegistry(c.Host, name.StrictValidation)
		return &Provider{config: c, host: host}, err
	})
}

// Provider implements provider.Provider.
type Provider struct {
	config Config
	host   name.Registry
}

// Type implements provider.Typed: logs and metrics show it.
func (p *Provider) Type() string { return typ }

// Repository is <host>/<project>.
func (p *Provider) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	if err := errors.Join(provider.ValidateProject(project), consumer.Validate()); err != nil {
		return name.Repository{}, err
	}
	return p.host.Repo(project), nil
}

// Credentials signs a login for r.
func (p *Provider) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	if err := r.Validate(); err != nil {
		return provider.Credentials{}, err
	}
	if err := ctx.Err(); err != nil {
		return provider.Credentials{}, &provider.Error{Kind: provider.ErrTimeout, Op: "sign login", Project: r.Project, Err: err}
	}
	if r.AllProjects {
		return provider.Credentials{}, &provider.Error{Kind: provider.ErrUnsupported, Op: "sign login", Err: errors.New("logins are for one project")}
	}
	expires := time.Now().Add(p.config.lifetime()).Truncate(time.Second)
	username := fmt.Sprintf("%s.%s.%d", r.Project, r.Access, expires.Unix()) // no project contains a dot
	return provider.Credentials{
		Target: p.host.Repo(r.Project), Access: r.Access, Method: provider.LoginCredentials,
		Username: username, Password: provider.NewSecret(sign(p.config.Key, username)), ExpiresAt: expires,
	}, nil
}

func sign(key provider.Secret, username string) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(username))
	return hex.EncodeToString(mac.Sum(nil))
}
