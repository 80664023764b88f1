package ecr

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// noSuchTag is asked for, as whether it may be is what counts.
const noSuchTag = "rise-diagnose-no-such-tag"

// listing is one page of the registry's repositories: enough for a look around.
type listing struct {
	mu    sync.Mutex
	names []string
	whole bool // the page was the only one
}

func (l *listing) get() ([]string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.names, l.whole
}

func (d *checkup) list(ctx context.Context) {
	list, more, err := d.asController().Repositories(ctx)
	if err != nil {
		return // the repository itself is looked at all the same
	}
	d.listing.mu.Lock()
	defer d.listing.mu.Unlock()
	d.listing.whole = !more
	for _, r := range list {
		if aws.ToString(r.RepositoryArn) != d.setup.ARN(aws.ToString(r.RepositoryName)) { // another registry's
			d.listing.names, d.listing.whole = nil, false
			return
		}
		d.listing.names = append(d.listing.names, scrub.Printable(aws.ToString(r.RepositoryName)))
	}
}

func (d *checkup) repositoryName() string { return d.config.RepoPrefix + d.o.Project }

func (d *checkup) checkRepository(ctx context.Context) diagnosis.Finding {
	d.list(ctx)
	name := d.repositoryName()
	resource := slog.String("arn", d.setup.ARN(name))
	list, id, err := d.asController().Tags(ctx, d.setup.ARN(name))
	names, whole := d.listing.get()
	denied := errors.Is(err, provider.ErrAccessDenied)
	switch {
	case failure.CodeOf(err) == "RepositoryNotFoundException", denied && whole && !slices.Contains(names, name):
		return d.missing(resource)
	case err != nil:
		reason := failure.Of(err)
		f := d.failed(ctx, reason.Op, err, resource)
		if denied && !reason.Refusal().Explicit {
			f.Remedy = "allow the controller to read it (its policy may be for another prefix than repo_prefix)\n" +
				policy.Allow(d.setup.AllRepositories(), policy.ActionReadTags).Pasteable()
		}
		return f
	}
	return d.owner(byKey(list), resource, requestID(id))
}

func byKey(list []awsapi.Tag) map[string]string {
	tags := make(map[string]string, len(list))
	for _, t := range list {
		tags[t.Key] = t.Value
	}
	return tags
}

func (d *checkup) missing(resource slog.Attr) diagnosis.Finding {
	name, project := d.repositoryName(), d.o.Project
	f := diagnosis.Finding{Status: diagnosis.Failed, Evidence: []slog.Attr{resource}}
	names, _ := d.listing.get()
	if slices.ContainsFunc(names, func(n string) bool { // then it is the prefix, and a likeness of names means nothing
		other, ok := strings.CutPrefix(n, d.config.RepoPrefix)
		return ok && provider.ValidateProject(other) == nil
	}) {
		names = nil
	}
	for _, n := range names {
		if prefix, ok := strings.CutSuffix(n, project); ok && n != name && (prefix == "" || strings.ContainsAny(prefix[len(prefix)-1:], "/._-")) {
			f.Summary = "there is no repository " + name + ", but there is " + n + ": repo_prefix disagrees with how it was made"
			f.Remedy = "set repo_prefix: " + prefix + " (and the prefix in the roles' policies), or make " + name + ": operator repo ensure " + project + d.flagID()
			f.Evidence = append(f.Evidence, slog.String("found", n))
			return f
		}
	}
	f.Summary = "there is no repository " + name + ": ECR makes none on push"
	f.Remedy = "operator repo ensure " + project + d.flagID()
	return f
}

// owner is about the tags that say whose a repository is.
func (d *checkup) owner(tags map[string]string, evidence ...slog.Attr) diagnosis.Finding {
	name, project := d.repositoryName(), d.o.Project
	f := diagnosis.Finding{Status: diagnosis.Failed, Evidence: evidence}
	for _, key := range []string{policy.TagManaged, policy.TagInstallation, policy.TagProject, policy.TagProjectID, policy.TagOrphaned, policy.TagSuspended} {
		if value, ok := tags[key]; ok {
			f.Evidence = append(f.Evidence, slog.String(key, scrub.Printable(value)))
		}
	}
	switch owner := d.config.owner(project, tags); {
	case !owner.Ours && d.config.Installation == "" && tags[policy.TagManaged] == policy.TagTrue && tags[policy.TagProject] == project:
		f.Status = diagnosis.Warned // credentials work; the rest of repository management doesn't
		f.Summary = "the repository " + name + " belongs to an installation by its tag " + policy.TagInstallation + ", and installation isn't set"
		f.Remedy = "set installation to the tag's value, if it is this one"
	case !owner.Ours:
		f.Summary = "the repository " + name + " isn't ours: " + owner.Reason
		f.Remedy = d.claim(tags)
	case d.o.ProjectID != "" && owner.ProjectID != "" && owner.ProjectID != d.o.ProjectID:
		f.Summary = "the repository " + name + " is of a project of the same name with another id (its tag " + policy.TagProjectID + "): no credential of this one's works with it"
		f.Remedy = "check the id; if the name has changed hands, let the released repository be purged: operator repo purge"
		if !owner.Orphaned {
			f.Remedy = "check the id; if the name has changed hands, release the repository for the project that it was made for, and let it be purged: " +
				"operator repo release " + project + " --id ID"
		}
	case owner.Orphaned:
		f.Summary = "the repository " + name + " is orphaned: it was released, and no credential works with it"
		f.Remedy = "operator repo restore " + project + d.flagID()
	case owner.Suspended:
		f.Summary = "the repository " + name + " is suspended: no credential works with it"
		f.Remedy = "operator repo suspend --lift " + project
	case d.config.ProjectIDs && owner.ProjectID == "":
		f.Status = diagnosis.Warned // credentials work, for whichever id
		f.Summary = "the repository " + name + " has no tag " + policy.TagProjectID + ": until it has, credentials for every project that had its name work with it"
		f.Remedy = "operator repo ensure " + project + d.flagID()
	default:
		f.Status, f.Summary = diagnosis.Passed, "the repository "+name+" exists and is ours"
	}
	return f
}

// claim is what makes a repository the project's. Adoption is for what is nobody's: the controller's policy, too, doesn't let it
// tag what bears a tag of ours.
func (d *checkup) claim(tags map[string]string) string {
	_, managed := tags[policy.TagManaged]
	installation, installed := tags[policy.TagInstallation]
	other := tags[policy.TagProject] != "" && tags[policy.TagProject] != d.o.Project
	switch {
	case !managed && !installed && !other:
		return "if it should be, take it over: operator repo adopt " + d.o.Project + d.flagID() + "; or use a repo_prefix of your own, or name the project otherwise"
	case installed && installation != d.config.Installation:
		return "correct installation, use a repo_prefix of your own, or name the project otherwise; if the repository should be this project's here, " + d.tagging()
	case other:
		return "use a repo_prefix of your own, or name the project otherwise; if the repository should be this project's, " + d.tagging()
	}
	return "if it should be, " + d.tagging()
}

// flagID is what names the project's id in a command of ours, where one is known or needed.
func (d *checkup) flagID() string {
	switch {
	case d.o.ProjectID != "":
		return " --id " + d.o.ProjectID
	case d.config.ProjectIDs:
		return " --id ID"
	default:
		return ""
	}
}

// tagging is the command that says whose a repository is.
func (d *checkup) tagging() string {
	command := "tag it with rights of your own:\naws ecr tag-resource --region " + d.config.Region + " --resource-arn " + d.setup.RepositoryARN(d.o.Project) +
		" --tags Key=" + policy.TagManaged + ",Value=" + policy.TagTrue + " Key=" + policy.TagProject + ",Value=" + d.o.Project
	if d.config.Installation != "" {
		command += " Key=" + policy.TagInstallation + ",Value=" + d.config.Installation
	}
	return command
}

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
		return "the " + r.Layer + " of the push role doesn't allow " + action, "allow it there\n" + d.setup.PushStatement().Pasteable()
	}
	return "the push role's own policy doesn't allow " + action + " on the repository: it lacks the action, is for another prefix than repo_prefix, " +
			"or asks for tags that the repository hasn't",
		"let the push role's policy allow it\n" + d.setup.PushStatement().Pasteable()
}

func (d *checkup) checkIsolation(ctx context.Context) diagnosis.Finding {
	other, exists := d.neighbour(ctx)
	if other == "" {
		return diagnosis.Finding{Status: diagnosis.Skipped, Summary: "there is no other project's repository in use to try with: the push role's own policy " +
			"denies orphaned and suspended ones to every session"}
	}
	a := d.host.Do(ctx, http.MethodHead, d.login.base+"/v2/"+other+"/manifests/"+noSuchTag, d.login.user)
	f := diagnosis.Finding{Evidence: append(a.Evidence, slog.String("repository", other))}
	switch {
	case a.Failure != nil:
		f.Status, f.Summary, f.Remedy = diagnosis.Failed, "the image registry can't be used: "+a.Failure.Summary, a.Failure.Remedy
	case a.Status == http.StatusForbidden:
		f.Status, f.Summary = diagnosis.Passed, "the credential is refused another project's repository"
	case exists && (a.Status == http.StatusOK || a.Status == http.StatusNotFound):
		f.Status, f.Summary = diagnosis.Failed, "the credential isn't refused another project's repository: its session policy has no effect"
		f.Remedy = "stop handing out credentials; check what answers as STS (AWS_ENDPOINT_URL_STS) and as the image registry (registry_host)"
	case a.Status == http.StatusNotFound:
		f.Status, f.Summary = diagnosis.Skipped, "there is no other project's repository to try with"
	default:
		f.Status, f.Summary = diagnosis.Warned, "the image registry gave no clear answer about another project's repository"
		f.Remedy = "try again later"
	}
	return f
}

// neighbours is of how many repositories checkIsolation reads the tags at most.
const neighbours = 5

// neighbour is another project's repository, and whether it exists. It is one that the push role's own policy denies for no other
// reason than that it is another project's; empty where there are only such that it does.
func (d *checkup) neighbour(ctx context.Context) (name string, exists bool) {
	names, _ := d.listing.get()
	tried := 0
	for _, n := range names {
		project, ok := strings.CutPrefix(n, d.config.RepoPrefix)
		if !ok || project == d.o.Project || provider.ValidateProject(project) != nil {
			continue
		}
		if tried++; tried > neighbours {
			break
		}
		list, _, err := d.asController().Tags(ctx, d.setup.ARN(n))
		if err != nil {
			continue
		}
		tags := byKey(list)
		if owner := d.config.owner(project, tags); tags[policy.TagManaged] == policy.TagTrue && !owner.Orphaned && !owner.Suspended {
			return n, true
		}
	}
	if tried > 0 {
		return "", false
	}
	return d.config.RepoPrefix + "diagnose-other", false
}

type ociErrors struct {
	Errors []struct{ Code, Message string }
}

func ociCode(body []byte) string {
	var e ociErrors
	if json.Unmarshal(body, &e) != nil || len(e.Errors) == 0 {
		return ""
	}
	return e.Errors[0].Code
}

func ociMessage(body []byte) string {
	var e ociErrors
	if json.Unmarshal(body, &e) != nil || len(e.Errors) == 0 {
		return ""
	}
	return e.Errors[0].Message
}
