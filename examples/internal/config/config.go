// Package config is the configuration that the example binaries share: the struct, its rules, and the built-in files that
// are used when there is no configuration directory.
package config

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"strings"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

const defaultListen = "127.0.0.1:3000"

// Config is the whole configuration.
type Config struct {
	Server           Server           `yaml:"server"`
	Auth             Auth             `yaml:"auth"`
	EmbeddedRegistry EmbeddedRegistry `yaml:"embedded_registry"`
	Registry         registry.Config  `yaml:"registry"`

	// BuiltIn says that the configuration came from the binary itself.
	BuiltIn bool `yaml:"-"`
}

// Server is where and how the credentials endpoint is served.
type Server struct {
	// Listen is the address. Default 127.0.0.1:3000.
	Listen string `yaml:"listen"`
	TLS    TLS    `yaml:"tls"`
	// Insecure allows plain HTTP off loopback, for example behind a proxy that ends TLS.
	Insecure bool `yaml:"insecure"`
	// EnsureRepositories makes a project's repository before its first credential to push, where the registry doesn't do so
	// itself on push.
	EnsureRepositories bool `yaml:"ensure_repositories"`
	// SessionPerCaller issues each caller a credential of its own, named by its subject in the upstream's log.
	SessionPerCaller bool `yaml:"session_per_caller"`
	// ClusterCredentials serves clusters too: credentials that name the registry as clusters reach it, and pull secrets.
	ClusterCredentials bool `yaml:"cluster_credentials"`
	// TrustedProxies are the proxies, as CIDRs, whose X-Forwarded-For header is believed.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// RateLimits are off unless configured.
	RateLimits RateLimits `yaml:"rate_limits"`
}

func (s Server) listen() string { return cmp.Or(s.Listen, defaultListen) }

// RateLimits limit how often callers may ask.
type RateLimits struct {
	// PerAddress counts before everything else, by the address that a request came from.
	PerAddress RateLimit `yaml:"per_address"`
	// PerSubject counts after authentication, by the token's subject.
	PerSubject RateLimit `yaml:"per_subject"`
}

// RateLimit is a token bucket. It is off when RequestsPerSecond is 0.
type RateLimit struct {
	// RequestsPerSecond is how many are allowed in the long run.
	RequestsPerSecond float64 `yaml:"requests_per_second"`
	// Burst is how many are allowed at once.
	Burst int `yaml:"burst"`
}

// Proxies are TrustedProxies, which Validate has checked.
func (s Server) Proxies() []netip.Prefix {
	var proxies []netip.Prefix
	for _, text := range s.TrustedProxies {
		if p, err := netip.ParsePrefix(text); err == nil {
			proxies = append(proxies, p)
		}
	}
	return proxies
}

// TLS names a certificate and its key, as PEM files: both or neither.
type TLS struct {
	// CertFile holds the certificate and its chain.
	CertFile string `yaml:"cert_file"`
	// KeyFile holds the certificate's key.
	KeyFile string `yaml:"key_file"`
}

// Enabled reports whether TLS is configured.
func (t TLS) Enabled() bool { return t.CertFile != "" }

// Auth is who may ask for what.
type Auth struct {
	// Tokens are static ones.
	Tokens []Token `yaml:"tokens"`
	// OIDC are the issuers whose tokens jobs and workloads may ask with: nobody has to keep a secret for them.
	OIDC []oidc.Issuer `yaml:"oidc"`
	// SuspendedFile has names of projects, which get no credentials, and ids of grants, one a line: what was handed out for them gets no tokens. It is
	// read again within ten seconds of a change.
	SuspendedFile string `yaml:"suspended_file"`
}

//go:embed builtin
var builtin embed.FS

// Default is what Load fills.
func Default(factory *registry.Factory) Config {
	return Config{Server: Server{Listen: defaultListen}, Registry: factory.Config()}
}

// Load reads the configuration with loader. If that doesn't say from where, it is RISE_CONFIG_DIR or ./config, and with
// neither, the built-in configuration of the run mode.
func Load(loader configload.Loader, factory *registry.Factory) (Config, error) {
	c := Default(factory)
	c.BuiltIn = BuiltInMode(loader) != ""
	if err := load(loader, &c); err != nil {
		return Config{}, err
	}
	return c, nil
}

// OwnKeys reports whether the keys of type oci-token-issuer are the embedded registry's, and so the server's alone.
func (c Config) OwnKeys() bool {
	return c.EmbeddedRegistry.Listen != "" && isIssuer(c.Registry.Section())
}

// LoadRegistry reads the section that loader names, as the registry section, from where Load reads.
func LoadRegistry(loader configload.Loader, factory *registry.Factory) (registry.Config, error) {
	c := factory.Config()
	if err := load(loader, &c); err != nil {
		return registry.Config{}, err
	}
	return c, nil
}

func load(loader configload.Loader, into any) error {
	if BuiltInMode(loader) == "" {
		return loader.Load(into)
	}
	loader.FS, loader.Dir = builtin, "builtin"
	err := loader.Load(into)
	if err != nil {
		err = fmt.Errorf("%w (RISE_CONFIG_DIR isn't set and there is no ./config, so only the built-in configurations can be used: %s)",
			err, strings.Join(builtinModes(), ", "))
	}
	return err
}

// BuiltInMode returns the run mode if Load is going to use the built-in configuration, else nothing.
func BuiltInMode(loader configload.Loader) string {
	lookup := loader.LookupEnv
	if lookup == nil {
		lookup = os.LookupEnv
	}
	if dir, _ := lookup(configload.EnvDir); dir != "" || loader.Dir != "" || loader.FS != nil {
		return ""
	}
	if _, err := os.Stat("config"); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	mode, _ := lookup(configload.EnvRunMode)
	return cmp.Or(loader.RunMode, mode, "development")
}

func builtinModes() []string {
	files, err := fs.Glob(builtin, "builtin/*.yaml")
	if err != nil {
		panic(err) // a malformed pattern
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(path.Base(file), ".yaml")
	}
	return files
}

// Validate checks what goes across sections.
func (c Config) Validate() error {
	var errs []error
	fail := func(key, format string, args ...any) {
		errs = append(errs, provider.NewConfigError(key, format, args...))
	}
	loopback, err := onLoopback(c.Server.listen())
	if err != nil {
		fail("server.listen", "%s", err)
	}
	if (c.Server.TLS.CertFile == "") != (c.Server.TLS.KeyFile == "") {
		fail("server.tls", "needs both cert_file and key_file, or neither")
	}
	if err == nil && !loopback && !c.Server.TLS.Enabled() && !c.Server.Insecure {
		fail("server.listen", "is off loopback, which needs tls, or insecure: true where something in front of it ends TLS")
	}
	errs = append(errs, c.EmbeddedRegistry.validate(c.Registry.Section(), c.Server.Insecure)...)
	for i, text := range c.Server.TrustedProxies {
		if p, err := netip.ParsePrefix(text); err != nil || p != p.Masked() || p.Addr().Is4In6() {
			fail(fmt.Sprintf("server.trusted_proxies[%d]", i), "must be a network such as 10.0.0.0/8, or one address such as 10.0.0.1/32")
		} else if p.Bits() == 0 {
			fail(fmt.Sprintf("server.trusted_proxies[%d]", i), "must not be everybody: whoever is trusted can claim any address")
		}
	}
	for _, l := range []struct {
		key string
		RateLimit
	}{{"per_address", c.Server.RateLimits.PerAddress}, {"per_subject", c.Server.RateLimits.PerSubject}} {
		switch {
		case l.RequestsPerSecond < 0 || l.Burst < 0:
			fail("server.rate_limits."+l.key, "must not be negative")
		case (l.RequestsPerSecond == 0) != (l.Burst == 0):
			fail("server.rate_limits."+l.key, "needs both requests_per_second and burst, or neither")
		}
	}
	errs = append(errs, validateTokens(c.Auth.Tokens, c.Exposed())...)
	errs = append(errs, oidc.Validate("auth.oidc", c.Auth.OIDC))
	return errors.Join(errs...)
}

// Exposed reports whether others than this machine reach what tokens open.
func (c Config) Exposed() bool {
	loopback, err := onLoopback(c.Server.listen())
	return err != nil || !loopback || c.EmbeddedRegistry.offLoopback()
}
