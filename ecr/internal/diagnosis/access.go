package diagnosis

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

func (d *checkup) checkAccess(ctx context.Context) diagnosis.Finding {
	name := d.repositoryName()
	method, path, action := http.MethodGet, "/manifests/"+noSuchTag, "ecr:BatchGetImage"
	if d.o.WriteProbe {
		method, path, action = http.MethodPost, "/blobs/uploads/", "ecr:InitiateLayerUpload"
	}
	a := d.host.Do(ctx, method, d.login.base+"/v2/"+name+path, d.login.user)
	f := diagnosis.Finding{Status: diagnosis.Failed, Evidence: append(a.Evidence, slog.String("action", action))}
	code, text := ociCode(a.Body), d.said(a)
	switch {
	case a.Failure != nil:
		f.Summary, f.Remedy = "the image registry can't be used: "+a.Failure.Summary, a.Failure.Remedy
	case d.o.WriteProbe && a.Status == http.StatusAccepted:
		f.Status, f.Summary = diagnosis.Passed, "the credential can push: an upload could be started, and is left to expire"
	case !d.o.WriteProbe && (a.Status == http.StatusOK || (a.Status == http.StatusNotFound && code != "NAME_UNKNOWN")):
		f.Status, f.Summary = diagnosis.Passed, "the credential can read the repository (whether it can push shows with a write probe)"
	case a.Status == http.StatusNotFound:
		f.Summary, f.Remedy = "the image registry doesn't know the repository "+name, "operator repo ensure "+d.o.Project+d.flagID()
	case a.Status == http.StatusForbidden:
		f.Evidence = append(f.Evidence, slog.String("error", text))
		f.Summary, f.Remedy = d.deniedAt(failure.NewRefusal(code, text), action)
	default:
		f.Summary, f.Remedy = "the image registry doesn't let the credential in: "+text, "try again later; see the evidence"
	}
	return f
}

// deniedAt explains the image registry's denial of the session.
func (d *checkup) deniedAt(r failure.Refusal, action string) (summary, remedy string) {
	if r.Action != "" {
		action = r.Action
	}
	switch {
	case strings.Contains(r.Message, "expired"):
		return "the image registry takes the token for expired", "check region and registry_host, and this machine's clock"
	case r.Explicit:
		return "a Deny in " + r.TheLayer() + " forbids the push role's session " + action, "look for a Deny that the repository's tags or its name " +
			"fall under; in the push role's own policy they are rise:installation, rise:orphaned, rise:suspended and the prefix, in the session policy another " + policy.TagProjectID
	case r.Layer != "" && r.Layer != "identity-based policy":
		return "the " + r.Layer + " of the push role doesn't allow " + action, "allow it there\n" + d.Setup.PushStatement().Pasteable()
	}
	return "the push role's own policy doesn't allow " + action + " on the repository: it lacks the action, is for another prefix than repo_prefix, " +
			"or asks for tags that the repository hasn't",
		"let the push role's policy allow it\n" + d.Setup.PushStatement().Pasteable()
}
