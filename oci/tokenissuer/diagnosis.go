package tokenissuer

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/oci/internal/reach"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

var _ diagnosis.Diagnoser = (*Provider)(nil)

// The checks. Those of the client's registry are there only if it isn't the cluster's.
const (
	checkKeys           = "signing_keys"
	checkRegistry       = "registry"
	checkClientRegistry = "client_registry"
	checkChallenge      = "challenge"
	checkTokenService   = "token_service"
	checkToken          = "token"
	checkOther          = "other_repository"
	checkPull           = "pull_access"
	checkPush           = "push_access"
)

// The projects of a diagnosis that is about none.
const (
	probeProject = "rise-probe"
	otherProject = "rise-probe-other"
)

// Diagnose implements [diagnosis.Diagnoser]. The checks, in order: signing_keys (the files match and are in use, the certificate lasts, and is of an authority of its own),
// registry (registry_url can be reached, and the form of the realm that it names), the same for client_registry_url where it is another, challenge (it asks for a token, of
// the configured service), token_service (what answers at the realm is this service, with these keys: by an expired grant, of which nobody has a use), token (the registry takes
// a token), other_repository (which opens no other repository); and for a project pull_access, and push_access, which is skipped without
// o.WriteProbe: it starts an upload, which is left to expire.
func (p *Provider) Diagnose(ctx context.Context, o diagnosis.Options) iter.Seq[diagnosis.Finding] {
	return diagnosis.RunChecks(ctx, func() []diagnosis.Check {
		d := &checkup{Provider: p, host: probe.NewHost(http.DefaultTransport), project: cmp.Or(o.Project, probeProject)}
		if t := p.options.transport; t != nil {
			d.host = probe.NewHost(t)
		}
		cluster, client := d.registry(provider.Cluster), d.registry(provider.Client)
		reached := checkRegistry
		checks := []diagnosis.Check{
			{ID: checkKeys, Run: func(context.Context) diagnosis.Finding { return d.checkKeys() }},
			{ID: checkRegistry, Run: d.reach(cluster, "registry_url", p.config.RegistryURL, client == cluster)},
		}
		if client != cluster {
			reached = checkClientRegistry
			checks = append(checks, diagnosis.Check{ID: reached, Run: d.reach(client, "client_registry_url", p.config.ClientRegistryURL, true)})
		}
		checks = append(checks,
			diagnosis.Check{ID: checkChallenge, Needs: []string{reached}, Run: d.checkChallenge},
			diagnosis.Check{ID: checkTokenService, Needs: []string{checkKeys, checkChallenge}, Run: d.checkTokenService},
			diagnosis.Check{ID: checkToken, Needs: []string{checkKeys, checkChallenge}, Run: d.checkToken},
			diagnosis.Check{ID: checkOther, Needs: []string{checkToken}, Run: d.checkOther})
		if o.Project != "" {
			checks = append(checks,
				diagnosis.Check{ID: checkPull, Needs: []string{checkToken}, Run: d.checkPull},
				diagnosis.Check{ID: checkPush, Needs: []string{checkToken}, Run: func(ctx context.Context) diagnosis.Finding {
					if !o.WriteProbe {
						return diagnosis.Finding{Status: diagnosis.Skipped, Summary: "whether a push is allowed shows only by starting one", Remedy: "ask for it: --write-probe"}
					}
					return d.checkPush(ctx)
				}})
		}
		return checks
	})
}

// checkup is one run. What a check finds for later ones is in it.
type checkup struct {
	*Provider
	host    probe.Host
	project string

	base   string // of the registry's URLs, as clients reach it
	header http.Header
	realm  *url.URL
}

func (d *checkup) registry(c provider.Consumer) name.Registry {
	repository, err := d.Repository(probeProject, c)
	if err != nil { // a valid name
		return name.Registry{}
	}
	return repository.Registry
}

func passed(format string, args ...any) diagnosis.Finding {
	return diagnosis.Finding{Status: diagnosis.Passed, Summary: fmt.Sprintf(format, args...)}
}

func failed(remedy, format string, args ...any) diagnosis.Finding {
	return diagnosis.Finding{Status: diagnosis.Failed, Summary: fmt.Sprintf(format, args...), Remedy: remedy}
}

func (d *checkup) checkKeys() diagnosis.Finding {
	now, ring, problem := time.Now(), d.keys.Ring(), d.keys.Problem()
	f := diagnosis.Finding{Status: diagnosis.Warned, Evidence: []slog.Attr{
		slog.String("key", ring.ID()), slog.Int("keys", ring.Count()), slog.Time("certificate_ends", ring.Ends().UTC()),
	}}
	switch warnings := ring.Warnings(); {
	case !now.Before(ring.Ends()):
		f.Status, f.Summary, f.Remedy = diagnosis.Failed, "the signing certificate has expired: no registry takes a token", "make a new signing key and certificate, and put them where the configuration says"
	case problem != nil:
		f.Summary = "the files of keys aren't in use, and tokens are signed with what was there before: " + problem.Error()
		f.Remedy = "put a key and its certificate where the configuration says, the certificate of the signing key first"
	case ring.EndsSoon(now):
		f.Summary, f.Remedy = "the signing certificate ends on "+ring.Ends().UTC().Format(time.DateOnly), renew
	case len(warnings) > 0:
		f.Summary, f.Remedy = "the signing certificate "+warnings[0], ownAuthority
	default:
		f.Status, f.Summary = diagnosis.Passed, "the signing key and its certificate match, and last until "+ring.Ends().UTC().Format(time.DateOnly)
	}
	return f
}

// reach looks at a registry; later checks ask the one that clients ask.
func (d *checkup) reach(registry name.Registry, key, text string, clients bool) func(context.Context) diagnosis.Finding {
	return func(ctx context.Context) diagnosis.Finding {
		f, found := reach.Registry(ctx, d.host, reach.Site{Registry: registry, Key: key, Text: text, Insecure: d.config.Insecure})
		if clients {
			d.base, d.header = found.Scheme+"://"+registry.RegistryStr(), found.Header
		}
		return f
	}
}

// configured is how distribution's registry has to be configured.
func (d *checkup) configured() string {
	return fmt.Sprintf("auth:\n  token:\n    realm: https://%s/token\n    service: %s\n    issuer: %s\n    rootcertbundle: the signing certificate's authority, and no other",
		d.registry(provider.Client), d.settings.service, d.settings.issuer)
}

func (d *checkup) checkChallenge(ctx context.Context) diagnosis.Finding {
	challenge, err := reach.Challenge(ctx, d.header)
	if err != nil || challenge.Scheme != "bearer" {
		return failed("turn on its token authentication:\n"+d.configured(), "the registry asks for no token, so that whoever reaches it is held back by something else, or by nothing")
	}
	if service := challenge.Parameters["service"]; service != d.settings.service {
		return failed(fmt.Sprintf("set token_service to what the registry has (auth.token.service), or the registry's to %q", d.settings.service),
			"the registry asks for tokens for the service %+.100q, and token_service is %+q: clients are answered 400, and no token would be taken", service, d.settings.service)
	}
	if d.realm, err = url.Parse(challenge.Parameters["realm"]); err != nil { // its form was looked at before
		return failed("turn on its token authentication:\n"+d.configured(), "the registry names no realm")
	}
	f := passed("the registry asks for tokens for the service %+q", d.settings.service)
	f.Evidence = []slog.Attr{slog.String("realm", d.realm.Redacted())}
	return f
}

// checkTokenService shows an expired grant at the realm: only this service knows that it is one of its own.
func (d *checkup) checkTokenService(ctx context.Context) diagnosis.Finding {
	now := time.Now()
	c := d.settings.claimsOf(provider.Request{Project: probeProject, Access: provider.Pull}, rand.Text(), now.Add(-2*time.Minute), now.Add(-time.Minute))
	text, err := c.encode()
	if err != nil {
		return failed("", "no grant can be written")
	}
	grant, err := d.keys.Ring().SignGrant(text)
	if err != nil {
		return failed("", "no grant can be signed")
	}
	at := *d.realm
	query := at.Query()
	query.Set("service", d.settings.service)
	at.RawQuery = query.Encode()
	a := d.host.DoAs(ctx, http.MethodGet, at.String(), "Basic "+base64.StdEncoding.EncodeToString([]byte(username+":"+grant)))
	var f diagnosis.Finding
	switch {
	case a.Failure != nil:
		f = failed(a.Failure.Remedy, "the realm that the registry names can't be used: %s", a.Failure.Summary)
	case a.Status == http.StatusUnauthorized && bytes.Contains(a.Body, []byte(sayExpired)):
		f = passed("this service answers at the registry's realm")
	case a.Status == http.StatusUnauthorized && bytes.Contains(a.Body, []byte(sayForged)):
		f = failed("give all replicas the same signing keys, registry_url, namespace, token_service and token_issuer",
			"what answers at the registry's realm is a service of this kind, with other signing keys or another configuration")
	case a.Status == http.StatusTooManyRequests || a.Status >= http.StatusInternalServerError:
		f = failed("look at its log; try again later", "what answers at the registry's realm fails or is busy: %d", a.Status)
	case a.Status/100 == 3:
		f = failed("set the realm to where the service itself answers", "the registry's realm redirects elsewhere, with which clients lose the credential")
	default:
		f = failed("let the registry's realm lead to this service's /token", "what answers at the registry's realm, with %d, isn't this service", a.Status)
	}
	f.Evidence = a.Evidence
	return f
}

// ask asks the registry with a token for project's repository.
func (d *checkup) ask(ctx context.Context, method, path, project string, actions ...string) (probe.Answer, error) {
	var granted []access
	if len(actions) > 0 {
		granted = []access{{Type: "repository", Name: d.settings.prefix + project, Actions: actions}}
	}
	token, _, err := d.settings.newToken(d.keys.Ring(), "diagnosis", granted, time.Now())
	if err != nil {
		return probe.Answer{}, err
	}
	return d.host.DoAs(ctx, method, d.base+"/v2/"+path, "Bearer "+token), nil
}

func (d *checkup) checkToken(ctx context.Context) diagnosis.Finding {
	a, err := d.ask(ctx, http.MethodGet, "", "")
	if err != nil {
		return failed(renew, "%v", err)
	}
	var f diagnosis.Finding
	switch {
	case a.Failure != nil:
		f = failed(a.Failure.Remedy, "the registry can't be asked with a token: %s", a.Failure.Summary)
	case a.Status == http.StatusOK:
		f = passed("the registry takes this service's tokens")
	case a.Status == http.StatusUnauthorized:
		f = failed("compare with what the registry has, whose log says why, and start it again after a change:\n"+d.configured(),
			"the registry takes no token of this service's: its authority, issuer or service are others")
		if date, err := http.ParseTime(a.Header.Get("Date")); err == nil && time.Since(date).Abs() > backdated {
			f.Summary = fmt.Sprintf("the registry takes no token of this service's, and its clock differs by %v", time.Since(date).Round(time.Second))
			f.Remedy = "set both machines' clocks by NTP"
		}
	default:
		f = failed("look at the registry's log", "the registry answered %d to a token", a.Status)
	}
	f.Evidence = a.Evidence
	return f
}

// tags is where a repository's tags are: of a repository that isn't there, registries say so to whoever may know.
func (d *checkup) tags(project string) string { return d.settings.prefix + project + "/tags/list" }

func (d *checkup) checkOther(ctx context.Context) diagnosis.Finding {
	a, err := d.ask(ctx, http.MethodGet, d.tags(otherProject), d.project, "pull", "push")
	if err != nil {
		return failed(renew, "%v", err)
	}
	var f diagnosis.Finding
	switch {
	case a.Failure != nil:
		f = failed(a.Failure.Remedy, "the registry can't be asked: %s", a.Failure.Summary)
	case a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden:
		f = passed("a token for one project's repository opens no other")
	case a.Status == http.StatusOK || a.Status == http.StatusNotFound:
		f = failed("let the registry itself check what a token can do, and no proxy before it; distribution's registry does from 2.8 on",
			"a token for one project's repository opens another: the registry doesn't look at what it can do")
	default:
		f = failed("look at the registry's log", "the registry answered %d to a token for another repository", a.Status)
	}
	f.Evidence = a.Evidence
	return f
}

func (d *checkup) checkPull(ctx context.Context) diagnosis.Finding {
	a, err := d.ask(ctx, http.MethodGet, d.tags(d.project), d.project, "pull")
	return d.own(a, err, "pull from", http.StatusOK, http.StatusNotFound)
}

func (d *checkup) checkPush(ctx context.Context) diagnosis.Finding {
	a, err := d.ask(ctx, http.MethodPost, d.settings.prefix+d.project+"/blobs/uploads/", d.project, "pull", "push")
	f := d.own(a, err, "push to", http.StatusAccepted)
	if f.Status == diagnosis.Passed {
		f.Summary += ": an upload was started, and is left to expire"
	}
	return f
}

// own is the finding about a project's own repository.
func (d *checkup) own(a probe.Answer, err error, what string, good ...int) diagnosis.Finding {
	where := d.settings.prefix + d.project
	if err != nil {
		return failed(renew, "%v", err)
	}
	f := failed("look at the registry's log: it may be read-only, full, or behind a proxy that refuses", "the registry answered %d to a token that may %s %s", a.Status, what, where)
	if a.Failure != nil {
		f = failed(a.Failure.Remedy, "the registry can't be asked: %s", a.Failure.Summary)
	}
	for _, status := range good {
		if a.Status == status && a.Failure == nil {
			f = passed("a token may %s %s", what, where)
		}
	}
	f.Evidence = a.Evidence
	return f
}
