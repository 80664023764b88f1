package setup

import (
	"cmp"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// An Entry is what is known of one registry: who has credentials for it, and for what they are asked.
type Entry struct {
	// URL is the service's, whose credentials endpoint is asked.
	URL string `yaml:"url"`
	// Project is whose repository the credentials are for.
	Project string `yaml:"project"`
	// Access is what they can do; the zero value is push.
	Access provider.Access `yaml:"access"`
	// CAFile has the authorities that the service's certificate is trusted by, in place of the system's.
	CAFile string `yaml:"ca_file"`
	// Insecure allows http:// to another machine.
	Insecure bool `yaml:"insecure"`

	// One of these is where the token is.
	Token          provider.Secret `yaml:"token"`
	TokenFile      string          `yaml:"token_file"`
	TokenVariable  string          `yaml:"token_variable"`  // its name: GitLab's id_tokens, or any
	TokenCommand   []string        `yaml:"token_command"`   // prints the token; no shell
	GitHubAudience string          `yaml:"github_audience"` // of the GitHub Actions job's own OIDC token
}

// names are what an entry's values are called where they are configured.
type names struct {
	url, project, caFile, insecure                                string
	token, tokenFile, tokenVariable, tokenCommand, gitHubAudience string
	home                                                          string // how a path below the user's home is written, for messages
}

func inFile() names {
	return names{"url", "project", "ca_file", "insecure", "token", "token_file", "token_variable", "token_command", "github_audience", "; ${HOME}/… is one"}
}

// Validate reports what is wrong with the entry in a file, as [*provider.ConfigError] values.
func (e Entry) Validate() error { return e.validate(inFile()) }

func (e Entry) validate(called names) error {
	var errs []error
	wrong := func(key, format string, args ...any) {
		errs = append(errs, provider.NewConfigError(key, format, args...))
	}
	if e.URL == "" {
		wrong(called.url, "is missing: the service's URL, such as https://rise.example.com")
	} else if _, err := client.New(e.URL, client.Fixed(provider.Secret{}), e.insecure()...); err != nil {
		wrong(called.url, "%s", Cause(err))
	}
	if e.Project == "" {
		wrong(called.project, "is missing: the name of the project whose images are pushed or pulled")
	} else if provider.ValidateProject(e.Project) != nil {
		wrong(called.project, "isn't a project's name: %s", provider.ProjectRule)
	}
	for key, path := range map[string]string{called.caFile: e.CAFile, called.tokenFile: e.TokenFile} {
		if path != "" && !filepath.IsAbs(path) {
			wrong(key, "must be an absolute path, as clients run the helper in any folder%s", called.home)
		}
	}
	if len(e.TokenCommand) > 0 && e.TokenCommand[0] == "" {
		wrong(called.tokenCommand, "has no program: write the program and its arguments one by one, as [aws, sts, …]")
	}
	switch set := e.sources(called); len(set) {
	case 1:
	case 0:
		wrong(called.tokenFile, "there is no token: set %s (or %s, %s, %s)", called.tokenFile, called.tokenVariable,
			cmp.Or(called.tokenCommand, called.token), called.gitHubAudience)
	default:
		wrong(set[1], "there are several tokens, %s; keep one", listed(set))
	}
	return errors.Join(errs...)
}

// sources are the names of the token's sources that are set.
func (e Entry) sources(called names) (set []string) {
	for _, s := range []struct {
		name string
		set  bool
	}{
		{called.token, !e.Token.IsZero()}, {called.tokenFile, e.TokenFile != ""}, {called.tokenVariable, e.TokenVariable != ""},
		{called.tokenCommand, len(e.TokenCommand) > 0}, {called.gitHubAudience, e.GitHubAudience != ""},
	} {
		if s.set {
			set = append(set, s.name)
		}
	}
	return set
}

func (e Entry) insecure() (opts []client.Option) {
	if e.Insecure {
		opts = append(opts, client.WithInsecure())
	}
	return opts
}

// Equal reports whether both say the same.
func (e Entry) Equal(o Entry) bool {
	return e.URL == o.URL && e.Project == o.Project && e.Access == o.Access && e.CAFile == o.CAFile && e.Insecure == o.Insecure &&
		e.Token.Equal(o.Token) && e.TokenFile == o.TokenFile && e.TokenVariable == o.TokenVariable &&
		slices.Equal(e.TokenCommand, o.TokenCommand) && e.GitHubAudience == o.GitHubAudience
}

// Wanted is the access that is asked for.
func (e Entry) Wanted() provider.Access {
	if e.Access == 0 {
		return provider.Push
	}
	return e.Access
}

// source is where the token comes from.
func (e Entry) source() client.TokenSource {
	switch {
	case e.TokenFile != "":
		return client.File(e.TokenFile)
	case e.TokenVariable != "":
		return client.GitLab(e.TokenVariable)
	case len(e.TokenCommand) > 0:
		return client.Command(e.TokenCommand[0], e.TokenCommand[1:]...)
	case e.GitHubAudience != "":
		return client.GitHubActions(e.GitHubAudience)
	default:
		return client.Fixed(e.Token)
	}
}

// Client returns what asks the endpoint, for credentials of this host and no other.
func (e Entry) Client(host string, patience time.Duration, opts ...client.Option) (*client.Client, error) {
	opts = append(opts, client.WithRegistry(host), client.WithPatience(patience))
	opts = append(opts, e.insecure()...)
	if e.CAFile != "" {
		opts = append(opts, client.WithCAFile(e.CAFile))
	}
	return client.New(e.URL, e.source(), opts...)
}

// Cause is what an error says, without the kind and operation that a [*provider.Error] puts before it.
func Cause(err error) string {
	var e *provider.Error
	if errors.As(err, &e) && e.Err != nil {
		return e.Err.Error()
	}
	return err.Error()
}
