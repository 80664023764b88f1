package setup

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// The variables. With RISE_URL they are a whole set-up, in place of the file; without it, they change the project and the access of one in the file.
const (
	EnvURL           = "RISE_URL"
	EnvRegistry      = "RISE_REGISTRY"
	EnvProject       = "RISE_PROJECT"
	EnvAccess        = "RISE_ACCESS"
	EnvCAFile        = "RISE_CA_FILE"
	EnvInsecure      = "RISE_INSECURE"
	EnvToken         = "RISE_TOKEN"
	EnvTokenFile     = "RISE_TOKEN_FILE"
	EnvTokenVariable = "RISE_TOKEN_VARIABLE"
	EnvAudience      = "RISE_AUDIENCE"
)

func inEnvironment() names {
	return names{EnvURL, EnvProject, EnvCAFile, EnvInsecure, EnvToken, EnvTokenFile, EnvTokenVariable, "", EnvAudience, ""}
}

// wholeOnly are the variables that mean something with RISE_URL alone.
func wholeOnly() []string {
	return []string{EnvToken, EnvTokenFile, EnvTokenVariable, EnvAudience, EnvCAFile, EnvInsecure}
}

// fromEnvironment is the one entry that RISE_URL begins. The error is about it, and concerns who asks for its host alone.
func fromEnvironment(lookup Lookup) (host string, e Entry, err error) {
	host = lookup.get(EnvRegistry)
	if problem := hostProblem(host); problem != "" {
		return "", Entry{}, fmt.Errorf("%s, the registry's host, %s", EnvRegistry, problem)
	}
	e = Entry{
		URL: lookup.get(EnvURL), Project: lookup.get(EnvProject), CAFile: lookup.get(EnvCAFile),
		Token: provider.NewSecret(lookup.get(EnvToken)), TokenFile: lookup.get(EnvTokenFile),
		TokenVariable: lookup.get(EnvTokenVariable), GitHubAudience: lookup.get(EnvAudience),
	}
	if e.TokenVariable == EnvToken { // both ways to say it
		e.Token = provider.Secret{}
	}
	var errs []error
	access, err := accessFrom(lookup)
	e.Access = access
	errs = append(errs, err)
	switch lookup.get(EnvInsecure) {
	case "", "false":
	case "true":
		e.Insecure = true
	default:
		errs = append(errs, errors.New(EnvInsecure+" must be true or false"))
	}
	if err := e.Token.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", EnvToken, err))
	}
	errs = append(errs, e.validate(inEnvironment()))
	if len(e.sources(inEnvironment())) == 0 {
		errs = append(errs, inCI(lookup))
	}
	return host, e, errors.Join(errs...)
}

// inCI says where the token of a CI job is.
func inCI(lookup Lookup) error {
	switch {
	case lookup.get("ACTIONS_ID_TOKEN_REQUEST_URL") != "":
		return errors.New(EnvAudience + " is missing: this GitHub Actions job can have an OIDC token; name the audience that the service wants")
	case lookup.get("GITHUB_ACTIONS") != "":
		return fmt.Errorf("in GitHub Actions give the job \"permissions: id-token: write\", and set %s to the audience that the service wants", EnvAudience)
	case lookup.get("GITLAB_CI") != "":
		return fmt.Errorf("in GitLab CI give the job id_tokens: {RISE_ID_TOKEN: {aud: …}}, and set %s to RISE_ID_TOKEN", EnvTokenVariable)
	}
	return nil
}

func accessFrom(lookup Lookup) (a provider.Access, err error) {
	if text := lookup.get(EnvAccess); text != "" {
		if a.UnmarshalText([]byte(text)) != nil {
			return 0, errors.New(EnvAccess + " must be push or pull")
		}
	}
	return a, nil
}

// over puts the environment's project and access over a file's entry. There mustn't be more in the environment: a token goes only to
// the service that is named beside it.
func over(host string, e Entry, file string, lookup Lookup) (Entry, error) {
	extra := slices.DeleteFunc(wholeOnly(), func(name string) bool { return lookup.get(name) == "" || name == e.TokenVariable })
	if len(extra) > 0 {
		return e, fmt.Errorf("%s set without %s, while %s has the set-up of %s: unset %s, or set %s, %s and %s too to do without the file",
			listed(extra)+" "+isOrAre(extra), EnvURL, file, host, listed(extra), EnvURL, EnvRegistry, EnvProject)
	}
	if project := lookup.get(EnvProject); project != "" {
		if provider.ValidateProject(project) != nil {
			return e, fmt.Errorf("%s isn't a project's name: %s", EnvProject, provider.ProjectRule)
		}
		e.Project = project
	}
	access, err := accessFrom(lookup)
	if access != 0 {
		e.Access = access
	}
	return e, err
}

func isOrAre(of []string) string {
	if len(of) == 1 {
		return "is"
	}
	return "are"
}
