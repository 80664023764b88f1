package ecr

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/hint"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/internal/hostport"
	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

func (d *checkup) checkPushRole(ctx context.Context) diagnosis.Finding {
	f, s := d.assume(ctx, d.push())
	d.session = s
	return f
}

func (d *checkup) checkPullRole(ctx context.Context) diagnosis.Finding {
	f, _ := d.assume(ctx, provider.Request{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster})
	return f
}

// assume does what Credentials does for r, and finds out more where it fails.
func (d *checkup) assume(ctx context.Context, r provider.Request) (diagnosis.Finding, awsapi.Session) {
	op := opAssumeRole(r)
	input, err := sessionInput(d.setup, r) // without an id, too: what else is wrong shows all the same
	if err != nil {
		return d.failed(ctx, op, err), awsapi.Session{}
	}
	evidence := []slog.Attr{slog.String("arn", input.RoleARN), slog.String("session_name", input.Name)}
	s, err := d.once.Assume(ctx, op, input, d.controller)
	if err != nil {
		f := d.failed(ctx, op, err, evidence...)
		if reason := failure.Of(err); reason.Kind == provider.ErrAccessDenied {
			d.narrow(ctx, &f, op, r, input, reason)
		}
		return f, awsapi.Session{}
	}
	f := passed("the role can be assumed, with a session policy", append(evidence, requestID(s.RequestID))...)
	return f, s
}

// narrow tells apart what AWS doesn't: it asks again with one thing changed, and drops what it gets.
func (d *checkup) narrow(ctx context.Context, f *diagnosis.Finding, op string, r provider.Request, input awsapi.SessionInput, reason *failure.Failure) {
	works := func(change func(*awsapi.SessionInput)) bool {
		changed := input
		change(&changed)
		_, err := d.once.Assume(ctx, op, changed, d.controller)
		return err == nil
	}
	key := "push_role_arn"
	if op == failure.OpAssumePull {
		key = "pull_role_arn"
	}
	refused := reason.Refusal()
	switch {
	case refused.Action == "sts:TagSession" && len(input.Tags) > 0:
		if works(func(i *awsapi.SessionInput) { i.Tags = nil }) {
			f.Summary = op + ": sts:TagSession isn't allowed for the role in " + key + ": it can be assumed without session_tags, but not with them"
		}
	case refused.Action == "sts:TagSession":
		f.Evidence = append(f.Evidence, slog.Bool("inherited_tags", true))
	case len(input.Tags) == 0 && !r.AllProjects && works(func(i *awsapi.SessionInput) { i.Tags = projectTag(r.Project) }):
		f.Summary = op + ": the role's trust policy demands the session tag " + policy.TagProject + ", and session_tags is off"
		f.Remedy = "set session_tags: true"
	case input.ExternalID != "" && works(func(i *awsapi.SessionInput) { i.ExternalID = "" }):
		f.Summary = op + ": the role can be assumed without an external ID, but not with external_id"
		f.Remedy = "take out external_id, or demand it in the role's trust policy\n" + hint.Trust(d.setup, op, refused.Caller)
	}
}

func (d *checkup) checkToken(ctx context.Context) diagnosis.Finding {
	t, err := d.once.Token(ctx, d.session)
	if err != nil {
		f := d.failed(ctx, failure.OpToken, err)
		if r := failure.Of(err).Refusal(); r.Action == policy.ActionToken && !r.Explicit && r.Layer != "session policy" {
			f.Remedy += "\n" + policy.Allow("*", policy.ActionToken).Pasteable()
		}
		return f
	}
	d.token = t
	return passed("ECR issues a token to the session",
		requestID(t.RequestID), slog.Time("expires_at", t.ExpiresAt))
}

func (d *checkup) checkRegistryHost(context.Context) diagnosis.Finding {
	handedOut, named := d.Provider.host.RegistryStr(), d.token.ProxyHost()
	evidence := []slog.Attr{slog.String("handed_out", handedOut), slog.String("proxy_endpoint", named)}
	if d.hostWarning.host.agrees(named) {
		return passed("ECR names the image registry that is handed out", evidence...)
	}
	return diagnosis.Finding{Status: diagnosis.Warned, Evidence: evidence,
		Summary: "ECR names the image registry " + named + ", and " + handedOut + " is handed out",
		Remedy:  "if it isn't meant (a PrivateLink name, a mirror), take out registry_host and check region and account_id"}
}

// loginAt is the credential at the image registry.
type loginAt struct {
	base string // scheme and host
	user *url.Userinfo
}

func (d *checkup) checkRegistry(ctx context.Context) diagnosis.Finding {
	host := d.Provider.host.RegistryStr()
	login := url.UserPassword(d.token.Username, d.token.Password.Reveal())
	at := loginAt{"https://" + host, login}
	// The token goes nowhere before the host has shown a certificate; by plain HTTP to this machine only.
	a := d.host.Do(ctx, http.MethodGet, at.base+"/v2/", login)
	if name, _, err := hostport.Split(host); a.Failure != nil && a.Failure.PlainHTTP && err == nil && hostport.IsLoopback(name) {
		at.base = "http://" + host
		a = d.host.Do(ctx, http.MethodGet, at.base+"/v2/", login)
	}
	f := diagnosis.Finding{Status: diagnosis.Failed, Evidence: a.Evidence}
	switch {
	case a.Failure != nil:
		f.Summary, f.Remedy = "the image registry can't be used: "+a.Failure.Summary, a.Failure.Remedy
		if d.config.RegistryHost != "" {
			f.Remedy += "; check registry_host"
		}
	case a.Status == http.StatusOK && !a.IsPage():
		d.login = at
		return passed("the image registry can be reached and takes the token", a.Evidence...)
	case a.Status == http.StatusTooManyRequests || a.Status >= http.StatusInternalServerError:
		f.Summary, f.Remedy = "the image registry fails or is busy", "try again later; see AWS's health dashboard"
	case a.Status == http.StatusUnauthorized && !a.IsPage():
		f.Summary = "the image registry doesn't take the token: it is another registry than the one that issued it"
		f.Remedy = "check registry_host: it must be the registry of account " + d.config.AccountID + " in " + d.config.Region
	case a.Status == http.StatusForbidden && !a.IsPage():
		f.Summary = "the image registry refuses the token: " + d.said(a)
		f.Remedy = "a token is bound to its region: check registry_host and region"
	default:
		f.Summary, f.Remedy = "what answers is no image registry", "check registry_host, and proxies that answer in its place"
	}
	return f
}

// said is the message in the image registry's answer, safe to print.
func (d *checkup) said(a probe.Answer) string {
	text := ociMessage(a.Body)
	if text == "" {
		return "HTTP status " + http.StatusText(a.Status)
	}
	return scrub.Said(strings.ReplaceAll(text, "\n", " "), d.once.Secrets(), d.config.AccountID, d.repositoryName())
}
