package tokenissuer

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/internal/hostport"
	"github.com/rise-deploy/rise-registry-go/internal/sharedrepo"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Type is the type's name in configurations.
const Type = "oci-token-issuer"

// Config is the configuration section of type "oci-token-issuer". RegistryURL and, unless the keys come with [WithKeys], both files are
// required. The zero value of each other field means its default, as leaving the key out does; [DefaultConfig] has the defaults written out.
type Config struct {
	// RegistryURL is the registry as the cluster reaches it: host[:port], with or without https:// or http://, without
	// a path.
	RegistryURL string `yaml:"registry_url"`
	// Namespace is put before a project's name, with a slash. Default: none.
	Namespace string `yaml:"namespace"`
	// ClientRegistryURL is the registry as clients reach it. Default: RegistryURL.
	ClientRegistryURL string `yaml:"client_registry_url"`
	// Insecure allows plain HTTP off loopback.
	Insecure bool `yaml:"insecure"`
	// TokenService is the registry's name for itself in challenges and tokens (auth.token.service of distribution's registry). Default:
	// RegistryURL's host and port.
	TokenService string `yaml:"token_service"`
	// TokenIssuer is whose tokens the registry takes (auth.token.issuer). Default "rise".
	TokenIssuer string `yaml:"token_issuer"`
	// SigningKeyFile holds one or several private keys in PEM: ECDSA on P-256, or RSA of at least 2,048 bits.
	SigningKeyFile string `yaml:"signing_key_file"`
	// SigningCertFile holds the certificate of the key that signs, first, and its authorities' as far as they aren't the registry's own.
	// The other keys' grants are still taken. It may be SigningKeyFile. Both are read again within ten seconds of a change, and taken
	// once they match.
	SigningCertFile string `yaml:"signing_cert_file"`
	// SubRepositories makes a project's credential good for the repositories below its own, too: hello/web, hello/cache.
	SubRepositories bool `yaml:"sub_repositories"`
	// SharedRepositories can be pulled with every credential: names in the registry, or with /* at the end all below a name; none where
	// projects' own are.
	SharedRepositories []string `yaml:"shared_repositories"`
	// SessionDuration is how long what is handed out can be exchanged: one minute to 12 hours, in whole seconds. Default one hour.
	SessionDuration time.Duration `yaml:"session_duration"`
	// TokenDuration is how long what the registry gets is good for: one minute to one hour, in whole seconds. Default five minutes.
	TokenDuration time.Duration `yaml:"token_duration"`
}

const (
	defaultIssuer          = "rise"
	defaultSessionDuration = time.Hour
	defaultTokenDuration   = 5 * time.Minute
	maxTokenDuration       = time.Hour
	minDuration            = time.Minute
	maxShared              = 100
)

// DefaultConfig returns a Config with every default filled in that depends on nothing else.
func DefaultConfig() Config { return Config{}.withDefaults() }

func (c Config) withDefaults() Config {
	if c.TokenIssuer == "" {
		c.TokenIssuer = defaultIssuer
	}
	if c.SessionDuration == 0 {
		c.SessionDuration = defaultSessionDuration
	}
	if c.TokenDuration == 0 {
		c.TokenDuration = defaultTokenDuration
	}
	return c
}

// Validate returns everything that is wrong with c, as joined [*provider.ConfigError] values that hold no configured value. It reads no
// file, and lets both files be missing; [New] doesn't.
func (c Config) Validate() error {
	_, err := c.resolve()
	return err
}

// labelPattern is what can stand between quotes in a header.
var labelPattern = regexp.MustCompile(`^[ !#-\[\]-~]{1,128}$`)

func (c Config) resolve() (settings, error) {
	c = c.withDefaults()
	s := settings{
		service: c.TokenService, issuer: c.TokenIssuer, below: c.SubRepositories, shared: c.SharedRepositories,
		session: c.SessionDuration, token: c.TokenDuration,
	}
	var errs []error
	problem := func(key, format string, args ...any) {
		errs = append(errs, provider.NewConfigError(key, format, args...))
	}
	if err := s.name(c); err != nil {
		errs = append(errs, err)
	}
	if s.service != "" && !labelPattern.MatchString(s.service) {
		problem("token_service", "must be at most 128 printable ASCII characters, without quotes and backslashes")
	}
	if !labelPattern.MatchString(s.issuer) {
		problem("token_issuer", "must be at most 128 printable ASCII characters, without quotes and backslashes")
	}
	if (c.SigningKeyFile == "") != (c.SigningCertFile == "") {
		problem("signing_key_file", "goes with signing_cert_file: both, which may be one file, or neither")
	}
	duration := func(key string, d, most time.Duration) {
		if d < minDuration || d > most || d%time.Second != 0 {
			problem(key, "must be from %v to %v, in whole seconds", minDuration, most)
		}
	}
	duration("session_duration", s.session, maxSessionDuration)
	duration("token_duration", s.token, maxTokenDuration)
	if len(errs) > 0 { // what follows needs the names
		return settings{}, errors.Join(errs...)
	}
	if longest := s.longestGrant(); longest > maxGrant {
		problem("token_service", "is too long, together with token_issuer and namespace: credentials would have up to %d characters, and some clients' stores take "+
			"little more than %d", longest, maxGrant)
	}
	if len(s.shared) > maxShared {
		problem("shared_repositories", "must be at most %d", maxShared)
	}
	for i, entry := range s.shared {
		if err := sharedrepo.Check(entry, s.prefix); err != nil {
			problem(fmt.Sprintf("shared_repositories[%d]", i), "%v", err)
		}
	}
	return s, errors.Join(errs...)
}

// name finds out the names that type oci-client-auth gives, by the same rules.
func (s *settings) name(c Config) error {
	names, err := oci.NewClientAuth(oci.ClientAuthConfig{
		RegistryURL: c.RegistryURL, Namespace: c.Namespace, ClientRegistryURL: c.ClientRegistryURL, Insecure: c.Insecure,
	})
	if err != nil {
		return errors.Unwrap(err)
	}
	const project = "x"
	repository, err := names.Repository(project, provider.Cluster)
	if err != nil {
		return err
	}
	if repository.RegistryStr() == name.DefaultRegistry {
		return provider.NewConfigError("registry_url", "must not be Docker Hub, which has a token server of its own")
	}
	s.names, s.prefix = func() *oci.ClientAuth { return names }, strings.TrimSuffix(repository.RepositoryStr(), project)
	if s.service == "" {
		s.service = repository.RegistryStr()
	}
	return nil
}

// Challenge is what the registry has to know of its token server: where its clients are sent, for which service, and whose tokens it
// takes. In the configuration of distribution's registry they are auth.token.realm, service and issuer.
type Challenge struct {
	Realm, Service, Issuer string
}

// Challenge returns what the registry has to be told for c. The realm is /token on the registry's own host, as clients know it: some of them
// send a login to no other but public names. It is https, unless the registry is on loopback, or its address begins with http://; of a registry on loopback that
// has TLS, client_registry_url or registry_url has to begin with https://. Errors are those of [Config.Validate].
func (c Config) Challenge() (Challenge, error) {
	s, err := c.resolve()
	if err != nil {
		return Challenge{}, err
	}
	repository, err := s.names().Repository("x", provider.Client)
	if err != nil {
		return Challenge{}, err
	}
	cluster, err := s.names().Repository("x", provider.Cluster)
	if err != nil {
		return Challenge{}, err
	}
	address := repository.RegistryStr()
	scheme := schemeOf(c.ClientRegistryURL)
	if scheme == "" && cluster.RegistryStr() == address { // the same registry, perhaps with its scheme there
		scheme = schemeOf(c.RegistryURL)
	}
	if scheme == "" {
		scheme = "https"
		if host, _, err := hostport.Split(address); err == nil && hostport.IsLoopback(host) {
			scheme = "http"
		}
	}
	return Challenge{Realm: scheme + "://" + address + "/token", Service: s.service, Issuer: s.issuer}, nil
}

// schemeOf is the scheme that an address is configured with, or "".
func schemeOf(address string) string {
	scheme, _, configured := strings.Cut(strings.ToLower(address), "://")
	if !configured {
		return ""
	}
	return scheme
}
