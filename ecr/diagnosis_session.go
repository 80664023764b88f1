package ecr

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"

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
func (d *checkup) assume(ctx context.Context, r provider.Request) (diagnosis.Finding, session) {
	op := opAssumeRole(r)
	input, err := sessionInput(d.setup, r) // without an id, too: what else is wrong shows all the same
	if err != nil {
		return d.failed(ctx, op, err), session{}
	}
	evidence := []slog.Attr{slog.String("arn", aws.ToString(input.RoleArn)),
		slog.String("session_name", aws.ToString(input.RoleSessionName))}
	s, err := d.try(ctx, input)
	if err != nil {
		f := d.failed(ctx, op, err, evidence...)
		if kindOf(ctx, op, err) == provider.ErrAccessDenied {
			d.narrow(ctx, &f, op, r, input, refusalOf(err))
		}
		return f, session{}
	}
	f := passed("the role can be assumed, with a session policy", append(evidence, slog.String("request_id", s.requestID))...)
	return f, s
}

// try assumes a role. Its input always carries the session policy.
func (d *checkup) try(ctx context.Context, input *sts.AssumeRoleInput) (session, error) {
	if aws.ToString(input.Policy) == "" {
		return session{}, errors.New("no session policy")
	}
	out, err := d.upstream.assumer.client.AssumeRole(ctx, input, d.sts(d.controller))
	if err != nil {
		return session{}, err
	}
	s := session{credentials: keysOf(out.Credentials)}
	s.readAt, _ = dateOf(out.ResultMetadata)
	s.ends, _ = out.ResultMetadata.Get(endKey{}).(time.Time)
	d.hidden.hide(s.secrets()...)
	s.requestID = d.requestID(out.ResultMetadata).Value.String()
	return s, nil
}

// narrow tells apart what AWS doesn't: it asks again with one thing changed, and drops what it gets.
func (d *checkup) narrow(ctx context.Context, f *diagnosis.Finding, op string, r provider.Request, input *sts.AssumeRoleInput, refused refusal) {
	works := func(change func(*sts.AssumeRoleInput)) bool {
		changed := *input
		change(&changed)
		_, err := d.try(ctx, &changed)
		return err == nil
	}
	key := "push_role_arn"
	if op == opAssumePull {
		key = "pull_role_arn"
	}
	switch {
	case refused.action == "sts:TagSession" && len(input.Tags) > 0:
		if works(func(i *sts.AssumeRoleInput) { i.Tags = nil }) {
			f.Summary = op + ": sts:TagSession isn't allowed for the role in " + key + ": it can be assumed without session_tags, but not with them"
		}
	case refused.action == "sts:TagSession":
		f.Evidence = append(f.Evidence, slog.Bool("inherited_tags", true))
	case len(input.Tags) == 0 && !r.AllProjects && works(func(i *sts.AssumeRoleInput) { i.Tags = projectTag(r.Project) }):
		f.Summary = op + ": the role's trust policy demands the session tag " + policy.TagProject + ", and session_tags is off"
		f.Remedy = "set session_tags: true"
	case input.ExternalId != nil && works(func(i *sts.AssumeRoleInput) { i.ExternalId = nil }):
		f.Summary = op + ": the role can be assumed without an external ID, but not with external_id"
		f.Remedy = "take out external_id, or demand it in the role's trust policy\n" + trustRemedy(d.setup, op, refused.caller)
	}
}

func (d *checkup) checkToken(ctx context.Context) diagnosis.Finding {
	t, err := d.getToken(ctx, d.session, func(o *ecr.Options) { o.Retryer = once{} })
	if err != nil {
		f := d.failed(ctx, opToken, err)
		if r := refusalOf(err); r.action == policy.ActionToken && !r.explicit && r.layer != "session policy" {
			f.Remedy += "\n" + policy.Allow("*", policy.ActionToken).Pasteable()
		}
		return f
	}
	d.token = t
	d.hidden.hide(t.password.Reveal())
	return passed("ECR issues a token to the session",
		slog.String("request_id", t.requestID), slog.Time("expires_at", t.expiresAt))
}

func (d *checkup) checkRegistryHost(context.Context) diagnosis.Finding {
	handedOut, named := d.Provider.host.RegistryStr(), hostOf(d.token.proxyEndpoint)
	evidence := []slog.Attr{slog.String("handed_out", handedOut), slog.String("proxy_endpoint", named)}
	if d.agrees(d.token.proxyEndpoint) {
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
	login := url.UserPassword(d.token.username, d.token.password.Reveal())
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
	return scrub.Said(strings.ReplaceAll(text, "\n", " "), d.hidden.all(), d.config.AccountID, d.repositoryName())
}
