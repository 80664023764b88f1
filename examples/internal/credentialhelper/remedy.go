package credentialhelper

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/setup"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// refusal is that there is no credential for an entry, from the endpoint or on the way to it.
type refusal struct {
	host  string
	entry setup.Entry
	where string // the entry is from
	err   error
}

func (r *refusal) Error() string {
	return fmt.Sprintf("no credential for project %s on %s: %s", r.entry.Project, r.host, setup.Cause(r.err))
}

func (r *refusal) Unwrap() error { return r.err }

// inShort is an error in one line, as clients quote it.
func inShort(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// atLength is an error with what to do about it.
func atLength(err error) string {
	lines := []string{err.Error()}
	if e := (*provider.Error)(nil); errors.As(err, &e) && e.Hint != "" {
		lines = append(lines, e.Hint)
	}
	if r := (*refusal)(nil); errors.As(err, &r) {
		lines = append(lines, r.remedies()...)
	}
	return strings.Join(lines, "\n  ")
}

// remedies are in the words of the set-up.
func (r *refusal) remedies() (lines []string) {
	project := "the project is from " + r.key("project", setup.EnvProject)
	switch {
	case errors.Is(r.err, provider.ErrNotFound) && r.entry.Wanted() == provider.Push:
		return []string{project + "; if the token may pull and not push, ask for that: " + r.key("access: pull", setup.EnvAccess+"=pull")}
	case errors.Is(r.err, provider.ErrNotFound):
		return []string{project}
	case errors.As(r.err, &x509.UnknownAuthorityError{}):
		return []string{"the CA file is named by " + r.key("ca_file", setup.EnvCAFile)}
	case errors.Is(r.err, provider.ErrAccessDenied):
		return []string{"the token is " + r.token()}
	}
	return nil
}

// key is what a value is called where the entry is from.
func (r *refusal) key(inFile, variable string) string {
	if r.where == setup.Environment {
		return variable
	}
	return inFile + " in " + r.where + ", or " + variable
}

// token says where the token is from.
func (r *refusal) token() string {
	e := r.entry
	switch {
	case e.TokenFile != "":
		return "in the file " + e.TokenFile
	case e.TokenVariable != "":
		return "in the variable " + e.TokenVariable
	case len(e.TokenCommand) > 0:
		return "what the command " + e.TokenCommand[0] + " prints"
	case e.GitHubAudience != "":
		return "the GitHub Actions job's own, for the audience " + e.GitHubAudience
	case r.where == setup.Environment:
		return "in the variable " + setup.EnvToken
	default:
		return "in " + r.where
	}
}
