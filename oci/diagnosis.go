package oci

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/oci/internal/reach"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// The checks. Those of the client's registry are there only if it isn't the cluster's.
const (
	checkRegistry       = "registry"
	checkLogin          = "registry_login"
	checkClientRegistry = "client_registry"
	checkClientLogin    = "client_registry_login"
	checkPush           = "push_access"
)

// Diagnose implements [diagnosis.Diagnoser]. The checks, in order: registry (registry_url can be reached, speaks the OCI distribution
// API, which login it asks for, and whether clients can use the token service that it names, by its form), registry_login (this machine's docker login has an entry for it, which is accepted), the
// same for client_registry_url where it is another, and for a project push_access, which is skipped without o.WriteProbe: it starts
// an upload and cancels it.
//
// Logins are sent to the registry that they are for, and to its token service as go-containerregistry does: not to private
// addresses that the registry names.
func (p *ClientAuth) Diagnose(ctx context.Context, o diagnosis.Options) iter.Seq[diagnosis.Finding] {
	return diagnosis.RunChecks(ctx, func() []diagnosis.Check {
		d := checkup{ClientAuth: p, options: p.options()}
		d.host = probe.NewHost(d.options.transport)
		checks := d.registryChecks(checkRegistry, checkLogin, p.names.cluster, "registry_url", p.config.RegistryURL)
		reachable := checkRegistry
		if p.names.client != p.names.cluster {
			reachable = checkClientRegistry
			checks = append(checks,
				d.registryChecks(checkClientRegistry, checkClientLogin, p.names.client, "client_registry_url", p.config.ClientRegistryURL)...)
		}
		if o.Project != "" {
			checks = append(checks, diagnosis.Check{ID: checkPush, Needs: []string{reachable}, Run: func(ctx context.Context) diagnosis.Finding {
				if !o.WriteProbe {
					return diagnosis.Finding{Status: diagnosis.Skipped, Summary: "whether a push is allowed shows only by starting one",
						Remedy: "ask for it: --write-probe"}
				}
				return d.push(ctx, o.Project)
			}})
		}
		return checks
	})
}

type checkup struct {
	*ClientAuth
	options options
	host    probe.Host
}

func (d checkup) registryChecks(id, login string, registry name.Registry, key, text string) []diagnosis.Check {
	var asks string // the scheme of authentication
	return []diagnosis.Check{
		{ID: id, Run: func(ctx context.Context) diagnosis.Finding {
			f, found := reach.Registry(ctx, d.host, reach.Site{Registry: registry, Key: key, Text: text, Insecure: d.config.Insecure})
			asks = found.Authentication
			return f
		}},
		{ID: login, Needs: []string{id}, Run: func(ctx context.Context) diagnosis.Finding { return d.login(ctx, registry, asks) }},
	}
}

// login tries the local entry for registry.
func (d checkup) login(ctx context.Context, registry name.Registry, asks string) diagnosis.Finding {
	host := registry.RegistryStr()
	remedy := "docker login " + host
	evidence := []slog.Attr{slog.String("host", host)}
	auth, has, err := d.entry(ctx, registry)
	switch {
	case err != nil: // its text may quote the file
		return diagnosis.Finding{Status: diagnosis.Warned, Evidence: evidence,
			Summary: "the local docker configuration or its credential helper can't be read",
			Remedy:  "check ~/.docker/config.json, and that the credsStore or credHelpers that it names are installed"}
	case !has && asks == "none":
		return diagnosis.Finding{Status: diagnosis.Passed, Evidence: evidence, Summary: "no login is needed, and there is none"}
	case !has:
		return diagnosis.Finding{Status: diagnosis.Warned, Evidence: evidence, Remedy: remedy,
			Summary: "the local docker login has no entry for " + host + "; whoever pushes needs one where they push from"}
	case asks == "none":
		return diagnosis.Finding{Status: diagnosis.Passed, Evidence: evidence, Summary: "no login is needed, though there is one"}
	}
	rt, err := transport.NewWithContext(ctx, registry, auth, d.options.transport, nil)
	status := 0
	if err == nil {
		status, _, _, err = d.ask(ctx, rt, http.MethodGet, d.base(registry)+"/v2/")
	}
	if err != nil {
		return d.refused(diagnosis.Finding{Evidence: evidence}, "the login of "+host, err, remedy)
	}
	f := diagnosis.Finding{Evidence: append(evidence, slog.Int("http_status", status))}
	if status == http.StatusOK {
		f.Status, f.Summary = diagnosis.Passed, "the local docker login for "+host+" is accepted"
		return f
	}
	f.Status = diagnosis.Failed
	f.Summary, f.Remedy = turnedAway("the registry", "the local docker login for "+host, status, remedy)
	return f
}

// turnedAway is what a status says that isn't what was asked for. Only 401 and 403 are about the login.
func turnedAway(who, what string, status int, login string) (summary, remedy string) {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Sprintf("%s refuses %s (HTTP status %d): the user or the password is wrong or has expired", who, what, status), login
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return fmt.Sprintf("%s fails or is busy: %s was answered with %d", who, what, status), "look at its log; try again later"
	}
	return fmt.Sprintf("%s doesn't understand: %s was answered with %d", who, what, status),
		"check that it is what it should be, and no proxy or website that answers in its place"
}

// entry returns the local login for a registry, if there is one.
func (d checkup) entry(ctx context.Context, target authn.Resource) (authn.Authenticator, bool, error) {
	auth, err := authn.Resolve(ctx, d.options.keychain, target)
	if err != nil || auth == nil {
		return authn.Anonymous, false, err
	}
	c, err := authn.Authorization(ctx, auth)
	if err != nil {
		return authn.Anonymous, false, err
	}
	return auth, c != nil && *c != (authn.AuthConfig{}), nil
}

// refused makes a finding of an error that go-containerregistry returned. Its texts may quote what the registry said.
func (d checkup) refused(f diagnosis.Finding, what string, err error, remedy string) diagnosis.Finding {
	f.Status, f.Remedy = diagnosis.Failed, remedy
	var answered *transport.Error
	if errors.As(err, &answered) {
		f.Evidence = append(f.Evidence, slog.Int("http_status", answered.StatusCode))
		f.Summary, f.Remedy = turnedAway("the token service", what, answered.StatusCode, remedy)
		return f
	}
	if failure, ok := probe.Explain(err); ok {
		f.Summary, f.Remedy = "trying "+what+" failed: "+failure.Summary, failure.Remedy
		return f
	}
	f.Summary = "trying " + what + " failed: the registry's token service can't be used"
	f.Remedy = "check the realm that the registry names in WWW-Authenticate: it must be https, and no private address other than the registry's own"
	return f
}

// push starts an upload and cancels it.
func (d checkup) push(ctx context.Context, project string) diagnosis.Finding {
	repository := d.names.client.Repo(d.names.prefix + project)
	f := diagnosis.Finding{Evidence: []slog.Attr{slog.String("repository", repository.String())}}
	auth, has, err := d.entry(ctx, repository)
	if err != nil {
		auth = authn.Anonymous
	}
	rt, err := transport.NewWithContext(ctx, repository.Registry, auth, d.options.transport, []string{repository.Scope(transport.PushScope)})
	if err != nil {
		return d.refused(f, "pushing to "+repository.String(), err, "docker login "+repository.RegistryStr())
	}
	status, at, location, err := d.ask(ctx, rt, http.MethodPost, d.base(repository.Registry)+"/v2/"+repository.RepositoryStr()+"/blobs/uploads/")
	if err != nil {
		return d.refused(f, "pushing to "+repository.String(), err, "docker login "+repository.RegistryStr())
	}
	f.Evidence = append(f.Evidence, slog.Int("http_status", status))
	f.Status = diagnosis.Failed
	switch status {
	case http.StatusAccepted:
		f.Status, f.Summary = diagnosis.Passed, "an upload could be started"
		if d.cancel(ctx, rt, at, location) {
			f.Summary += ", and was canceled"
		} else {
			f.Summary += ", and is left to expire"
		}
		f = reach.Upload(f, at, location)
	case http.StatusUnauthorized, http.StatusForbidden:
		f.Summary = "the registry refuses the local docker login to push to " + repository.String()
		f.Remedy = "log in with docker login " + repository.RegistryStr() + " as a user who may push there, or let this one"
		if !has {
			f.Summary = "the registry refuses a push without a login to " + repository.String() + ", and there is no local docker login for it"
			f.Remedy = "log in as a user who may push there: docker login " + repository.RegistryStr()
		}
	case http.StatusNotFound:
		f.Summary = "the registry doesn't know " + repository.String() + " and doesn't create it on push"
		f.Remedy = "make the namespace or repository there first (a project in Harbor, a group in GitLab), or change namespace"
	default:
		f.Summary = fmt.Sprintf("starting an upload to %s answered %d", repository, status)
		f.Remedy = "look at the registry's log: it may be read-only, full or behind a proxy that refuses uploads"
	}
	return f
}

// base is where go-containerregistry's transport, which chose the scheme itself, sends requests for registry.
func (d checkup) base(registry name.Registry) string {
	return registry.Scheme() + "://" + registry.RegistryStr()
}

// cancel deletes an upload, if it is where it was started: nowhere else, and by nothing less, goes the login.
func (d checkup) cancel(ctx context.Context, rt http.RoundTripper, started *url.URL, location string) bool {
	if location == "" {
		return false
	}
	target, err := started.Parse(location)
	if err != nil || target.Host != started.Host || target.Scheme != started.Scheme {
		return false
	}
	status, _, _, err := d.ask(ctx, rt, http.MethodDelete, target.String())
	return err == nil && status == http.StatusNoContent
}

// ask sends a request without a body and follows no redirection. It was sent to at, which has the scheme that rt chose.
func (d checkup) ask(ctx context.Context, rt http.RoundTripper, method, address string) (status int, at *url.URL, location string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return 0, nil, "", err
	}
	client := http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil, "", err
	}
	return resp.StatusCode, r.URL, resp.Header.Get("Location"), resp.Body.Close()
}
