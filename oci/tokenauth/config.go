package tokenauth

import (
	"cmp"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"github.com/rise-deploy/rise-registry-go/internal/hostport"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/tokenserver"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Type is the type's name in configurations.
const Type = "oci-token-auth"

// Config is the configuration section of type "oci-token-auth". RegistryURL is required, and either Username with a password or Azure. The zero value of each
// other field means what leaving its key out does.
type Config struct {
	// RegistryURL is the registry as the cluster and this service reach it: host[:port], with or without https:// or http://, without a path.
	RegistryURL string `yaml:"registry_url"`
	// Namespace is put before a project's name, with a slash. Default: none.
	Namespace string `yaml:"namespace"`
	// ClientRegistryURL is the registry as clients reach it. Default: RegistryURL.
	ClientRegistryURL string `yaml:"client_registry_url"`
	// Insecure allows plain HTTP off loopback, for the registry and for its token server.
	Insecure bool `yaml:"insecure"`
	// TokenURL is the registry's token server, where it isn't on RegistryURL's own host and port: https://gitlab.com/jwt/auth,
	// https://auth.docker.io/token. It has to be what the registry's challenge names.
	TokenURL string `yaml:"token_url"`
	// TokenService is what the registry calls itself in its challenge, and its tokens are for. Set it where the token server is other registries' too: else a
	// registry that was taken over could ask for tokens for another. Default: whatever the registry names.
	TokenService string `yaml:"token_service"`
	// Username is the service's own login at the token server.
	Username string `yaml:"username"`
	// Password is Username's, or PasswordFile a file that holds it, which is read for each credential.
	Password     provider.Secret `yaml:"password"`
	PasswordFile string          `yaml:"password_file"`
	// PullUsername is a login that can only pull, from the repositories below Namespace. Tokens for pulling are asked for with it, and it is what a cluster
	// gets, once it is proven that it can't push: it leaves the service, and lives as long as the registry lets it. Default: none.
	PullUsername string `yaml:"pull_username"`
	// PullPassword is PullUsername's, or PullPasswordFile a file that holds it.
	PullPassword     provider.Secret `yaml:"pull_password"`
	PullPasswordFile string          `yaml:"pull_password_file"`
	// Azure is a workload's identity, in place of Username. Default: none.
	Azure AzureConfig `yaml:"azure"`
}

// AzureConfig is a workload's identity in Microsoft Entra, for Azure's container registry: an application with a federated credential. All but
// AuthorityHost are required where one is set.
type AzureConfig struct {
	// TenantID is the tenant's id or domain; ClientID is the application's or managed identity's.
	TenantID string `yaml:"tenant_id"`
	ClientID string `yaml:"client_id"`
	// TokenFile holds the workload's own token, which its platform renews (AZURE_FEDERATED_TOKEN_FILE).
	TokenFile string `yaml:"token_file"`
	// AuthorityHost is Entra's address. Default https://login.microsoftonline.com; other clouds have others (AZURE_AUTHORITY_HOST).
	AuthorityHost string `yaml:"authority_host"`
}

const defaultAuthority = "https://login.microsoftonline.com"

// Validate returns everything that is wrong with c, as joined [*provider.ConfigError] values that hold no configured value. It reads no file; [New] does.
func (c Config) Validate() error {
	_, err := c.resolve()
	return err
}

// settings are a Config that was found right.
type settings struct {
	names  *oci.ClientAuth
	place  tokenserver.Place
	prefix string             // empty, or ends in a slash
	entra  *tokenserver.Entra // nil: a user name and password
}

// problems are collected.
type problems struct{ errs []error }

func (p *problems) add(key, format string, args ...any) {
	p.errs = append(p.errs, provider.NewConfigError(key, format, args...))
}

func (c Config) resolve() (settings, error) {
	var p problems
	var s settings
	if err := s.name(c); err != nil {
		p.errs = append(p.errs, err)
	}
	if c.TokenURL != "" {
		u, err := tokenserver.ParseTokenURL(c.TokenURL)
		switch {
		case err != nil:
			p.add("token_url", "%v", err)
		case tokenserver.IsPlain(u) && !c.Insecure:
			p.add("token_url", "is plain HTTP and not on loopback: use https, or declare it with insecure: true")
		}
		s.place.TokenURL = u
	}
	if c.TokenService != "" && !tokenserver.IsService(c.TokenService) {
		p.add("token_service", "must be at most 256 printable ASCII characters, without quotes and backslashes")
	}
	s.place.Service = c.TokenService
	switch {
	case c.Azure != AzureConfig{}:
		s.entra = c.Azure.resolve(&p)
		if c.Username != "" || !c.Password.IsZero() || c.PasswordFile != "" {
			p.add("azure", "goes in place of username and its password, not with them")
		}
		if c.TokenURL != "" {
			p.add("token_url", "must be empty with azure: Azure's registries have their token servers on their own hosts")
		}
	case c.Username == "":
		p.add("username", "is required, and password or password_file: the service's own login at the registry's token server; or azure")
	}
	if s.entra == nil && c.Username != "" {
		account("", c.Username, c.Password, c.PasswordFile, &p)
	}
	if c.PullUsername != "" || !c.PullPassword.IsZero() || c.PullPasswordFile != "" {
		account("pull_", c.PullUsername, c.PullPassword, c.PullPasswordFile, &p)
		if c.PullUsername != "" && c.PullUsername == c.Username {
			p.add("pull_username", "must be another account than username: what clusters get can only pull")
		}
	}
	return s, errors.Join(p.errs...)
}

// account checks a user name and its password. Clients take no colon in a name, nor its lack.
func account(prefix, username string, password provider.Secret, file string, p *problems) {
	switch {
	case username == "":
		p.add(prefix+"username", "is required with its password")
	case strings.Contains(username, ":") || strings.ContainsFunc(username, unicode.IsControl) || len(username) > 256:
		p.add(prefix+"username", "must be at most 256 characters, none of them a colon or a control character")
	}
	switch {
	case password.IsZero() && file == "":
		p.add(prefix+"password", "is required, or %spassword_file", prefix)
	case strings.ContainsFunc(password.Reveal(), unicode.IsControl):
		p.add(prefix+"password", "must not hold control characters")
	case !password.IsZero() && file != "":
		p.add(prefix+"password_file", "must be empty where %spassword is set", prefix)
	}
}

// tenantPattern is a GUID or a domain; clientPattern a GUID.
var (
	tenantPattern = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z.-]{0,126}[0-9A-Za-z])?$`)
	clientPattern = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
)

func (a AzureConfig) resolve(p *problems) *tokenserver.Entra {
	if !tenantPattern.MatchString(a.TenantID) || strings.Contains(a.TenantID, "..") {
		p.add("azure.tenant_id", "is required: the id or a domain of the tenant")
	}
	if !clientPattern.MatchString(a.ClientID) {
		p.add("azure.client_id", "is required: the application's id, such as 00000000-0000-0000-0000-000000000000")
	}
	if a.TokenFile == "" {
		p.add("azure.token_file", "is required: the file of the workload's federated token, of which AZURE_FEDERATED_TOKEN_FILE tells")
	}
	u, err := url.Parse(cmp.Or(a.AuthorityHost, defaultAuthority))
	if err == nil && (strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "") {
		err = errors.New("more than a host")
	}
	if err == nil {
		_, _, err = hostport.Split(u.Host)
	}
	if err != nil || u.Scheme != "https" && (u.Scheme != "http" || tokenserver.IsPlain(u)) {
		p.add("azure.authority_host", "must be https and a host, such as %s", defaultAuthority)
		return &tokenserver.Entra{}
	}
	u.Path = ""
	return &tokenserver.Entra{Authority: u, TenantID: a.TenantID, ClientID: a.ClientID}
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
	s.names, s.prefix = names, strings.TrimSuffix(repository.RepositoryStr(), project)
	s.place.Registry, s.place.Text, s.place.Insecure = repository.Registry, c.RegistryURL, c.Insecure
	return nil
}
