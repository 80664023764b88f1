package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// longestLife is more than any credential's, and no trouble to calculate with.
const longestLife = 100 * 365 * 24 * time.Hour

// answered is what an endpoint answers with 200.
type answered struct {
	project     string
	credentials provider.Credentials // without Access and ExpiresAt
	in          time.Duration        // negative: not said
	at          time.Time            // zero: not said
}

// parseAnswer reads an answer of 200, whatever was asked. Errors are the end of a sentence; they quote nothing, since anything may be the password.
func parseAnswer(body []byte) (answered, error) {
	bad := func(problem string) (answered, error) { return answered{}, errors.New(problem) }
	outer, err := members(body)
	if err != nil {
		return answered{}, err
	}
	inner, err := members(outer["credentials"])
	if err != nil {
		return answered{}, fmt.Errorf(`its "credentials" %w`, err)
	}
	a := answered{in: -1}
	var ok bool
	if a.project, ok = text(outer, "repository"); !ok {
		return bad(`has no "repository"`)
	}
	target, okTarget := text(inner, "registry_url")
	username, okName := text(inner, "username")
	password, okPassword := text(inner, "password")
	method, okMethod := text(inner, "auth_method")
	if !okTarget || !okName || !okPassword || !okMethod {
		return bad(`lacks one of "registry_url", "username", "password" and "auth_method"`)
	}
	repository, err := parseTarget(target)
	if err != nil {
		return answered{}, err
	}
	a.credentials = provider.Credentials{Target: repository, Username: username, Password: provider.NewSecret(password)}
	switch {
	case method == "login_credentials" && username == "" && password == "":
		a.credentials.Method = provider.ClientLogin
	case method == "login_credentials":
		a.credentials.Method = provider.LoginCredentials
	case method == "registry_token":
		a.credentials.Method = provider.RegistryToken
	default:
		return bad(`has an "auth_method" that this program doesn't know; a newer one may`)
	}
	if !absent(inner, "expires_in") {
		var seconds int64
		if json.Unmarshal(inner["expires_in"], &seconds) != nil || seconds < 0 || seconds > int64(longestLife/time.Second) {
			return bad(`has an "expires_in" that is no number of seconds`)
		}
		a.in = time.Duration(seconds) * time.Second
	}
	if !absent(inner, "expires_at") {
		at, ok := text(inner, "expires_at")
		if a.at, err = time.Parse(time.RFC3339, at); !ok || err != nil || a.at.Year() < 1970 {
			return bad(`has an "expires_at" that is no time as 2026-01-01T12:00:00Z`)
		}
	}
	return a, nil
}

// What docker takes for a host and a repository's path; go-containerregistry takes more: port 99999, "a//b", "..".
var (
	hostAndPort = regexp.MustCompile(`^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::([0-9]{1,5}))?$`)
	path        = regexp.MustCompile(`^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$`)
)

// parseTarget reads a repository.
func parseTarget(target string) (name.Repository, error) {
	repository, err := name.NewRepository(target, name.StrictValidation)
	if err != nil || !path.MatchString(repository.RepositoryStr()) {
		return name.Repository{}, errors.New(`has a "registry_url" that is no repository with its registry's host`)
	}
	if err := checkHost(repository.RegistryStr()); err != nil {
		return name.Repository{}, fmt.Errorf(`has a "registry_url" whose host %w`, err)
	}
	return repository, nil
}

// checkHost takes a host with or without a port; errors are the end of a sentence.
func checkHost(host string) error {
	parts := hostAndPort.FindStringSubmatch(host)
	if parts == nil {
		return errors.New("is none, as registry.example.com or registry.example.com:5000")
	}
	if parts[1] != "" {
		if port, err := strconv.ParseUint(parts[1], 10, 16); err != nil || port == 0 {
			return errors.New("has a port that is none")
		}
	}
	return nil
}

// expiry returns until when what was answered lives, by this machine's clocks: from before the question, as nobody knows when in between the answer
// was made. Zero: it doesn't expire.
func (a answered) expiry(asked time.Time) time.Time {
	if a.in < 0 {
		return a.at
	}
	end := asked.Add(a.in)
	if !a.at.IsZero() && a.at.Before(end.Round(0)) {
		return a.at
	}
	return end
}

// read returns the credential of an answer of 200, which is what r asks for, from this registry if it isn't empty.
func (r reply) read(where string, request provider.Request, registry string, token provider.Secret) (provider.Credentials, error) {
	fail := func(err error, hint string) (provider.Credentials, error) {
		return provider.Credentials{}, &provider.Error{Kind: provider.ErrBadResponse, Hint: hint, Err: err}
	}
	a, err := parseAnswer(r.body)
	if errors.Is(err, errNoObject) {
		return fail(fmt.Errorf("%s answered with %s, which isn't a credential", where, r.mediaType(token)), notTheEndpoint)
	}
	if err != nil {
		return fail(fmt.Errorf("the answer of %s %w", where, err), notTheEndpoint)
	}
	c, secrets := a.credentials, []provider.Secret{token, a.credentials.Password}
	c.Access, c.ExpiresAt = request.Access, a.expiry(r.asked)
	if a.project != request.Project {
		return fail(fmt.Errorf("%s answered for another project: %s", where, quote(a.project, secrets...)), "don't use it; the service's operator has to look at it")
	}
	if host := c.Target.RegistryStr(); registry != "" && !strings.EqualFold(host, registry) {
		return fail(fmt.Errorf("%s answered for the registry %s, not for %s", where, quote(host, secrets...), registry),
			"check which registry's host is configured here: it has to be the service's")
	}
	if now := time.Now(); !c.ExpiresAt.IsZero() && !c.ExpiresAt.Round(0).After(now.Round(0)) {
		hint := r.clock()
		if hint == "" {
			hint = "try again; if it stays so, the service's operator has to look at it"
		}
		return fail(fmt.Errorf("%s answered with a credential that expired at %s, by this machine's clock", where, c.ExpiresAt.UTC().Format(time.RFC3339)), hint)
	}
	if err := c.Check(request, time.Now()); err != nil {
		var e *provider.Error
		if errors.As(err, &e) && e.Err != nil {
			err = e.Err
		}
		return fail(fmt.Errorf("%s answered with something else than was asked for: %w", where, harmless(err, secrets...)), "the service's operator has to look at it")
	}
	return c, nil
}
