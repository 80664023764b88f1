package diagnosis

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/hint"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// checkup is one run of a diagnosis. Each field is written by one check and read by those that need it.
type checkup struct {
	Subject
	o       diagnosis.Options
	once    *awsapi.Once
	host    probe.Host
	listing listing

	base       awsapi.Keys // checkCredentials
	identity   awsapi.Identity
	identified error // checkSTS
	offset     time.Duration
	dated      bool
	controller awsapi.Keys    // checkIdentity, checkControllerRole
	session    awsapi.Session // checkPushRole
	token      awsapi.Token   // checkToken
	login      loginAt        // checkRegistry
}

// loginAt is the credential at the image registry.
type loginAt struct {
	base string // scheme and host
	user *url.Userinfo
}

// noSuchTag is asked for, as whether it may be is what counts.
const noSuchTag = "rise-diagnose-no-such-tag"

// push is the request that the push role is assumed for.
func (d *checkup) push() provider.Request {
	r := provider.Request{Project: "diagnose", Access: provider.Push}
	switch {
	case d.o.Project != "":
		r.Project, r.ProjectID = d.o.Project, d.o.ProjectID
	case d.Setup.ProjectIDs:
		r.ProjectID = "diagnose"
	}
	return r
}

func (d *checkup) repositoryName() string { return d.Setup.RepoPrefix + d.o.Project }

// asController reads ECR as the controller.
func (d *checkup) asController() awsapi.Registry { return d.once.Registry(d.controller) }

// failed is the finding for a step that failed.
func (d *checkup) failed(ctx context.Context, op string, err error, evidence ...slog.Attr) diagnosis.Finding {
	reason := d.once.Failed(ctx, op, err)
	t := hint.Explain(d.Setup, reason)
	f := diagnosis.Finding{Status: diagnosis.Failed, Summary: op + ": " + reason.Kind.Error(), Remedy: t.Remedy}
	if t.Is != "" {
		f.Summary = op + ": " + t.Is
	}
	if f.Remedy == "" {
		f.Remedy = "see the error"
	}
	if t.More != "" {
		f.Remedy += "\n" + t.More
	}
	f.Evidence = append(f.Evidence, evidence...)
	f.Evidence = append(f.Evidence, slog.String("error", reason.Error()), slog.String("kind", string(reason.Kind)))
	if reason.RequestID != "" {
		f.Evidence = append(f.Evidence, slog.String("request_id", reason.RequestID))
	}
	status := reason.HTTPStatus
	if reason.Source != nil && reason.Source.Status != 0 {
		status = reason.Source.Status
	}
	if status != 0 {
		f.Evidence = append(f.Evidence, slog.Int("http_status", status))
	}
	return f
}

// unread is the finding for what the controller may not read, or couldn't.
func (d *checkup) unread(ctx context.Context, err error, resource string, actions ...string) diagnosis.Finding {
	reason := failure.Of(err)
	f := d.failed(ctx, reason.Op, err)
	if reason.Kind != provider.ErrAccessDenied {
		f.Status = diagnosis.Warned
		return f
	}
	f.Status, f.Summary = diagnosis.Skipped, "the controller may not "+reason.Op
	if reason.Refusal().Explicit { // no Allow helps
		return f
	}
	f.Remedy = "it is optional: allow it to the controller (operator policies diagnose), or run the diagnosis with rights that include it\n" +
		policy.Allow(resource, actions...).Pasteable()
	return f
}

// clean takes out of a finding what is a piece of a secret that the diagnosis knows. Names in answers, too, may be one.
func (d *checkup) clean(f diagnosis.Finding) diagnosis.Finding {
	secrets := d.once.Secrets()
	f.Summary, f.Remedy = scrub.Redact(f.Summary, secrets), scrub.Redact(f.Remedy, secrets)
	for i, attr := range f.Evidence {
		if attr.Value.Kind() == slog.KindString {
			f.Evidence[i] = slog.String(attr.Key, scrub.Redact(attr.Value.String(), secrets))
		}
	}
	return f
}

func requestID(id string) slog.Attr { return slog.String("request_id", id) }

func passed(summary string, evidence ...slog.Attr) diagnosis.Finding {
	return diagnosis.Finding{Status: diagnosis.Passed, Summary: summary, Evidence: evidence}
}
