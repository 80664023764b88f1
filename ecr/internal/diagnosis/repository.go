package diagnosis

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/repositories"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

func (d *checkup) checkRepository(ctx context.Context) diagnosis.Finding {
	d.list(ctx)
	name := d.repositoryName()
	resource := slog.String("arn", d.Setup.ARN(name))
	list, id, err := d.asController().Tags(ctx, d.Setup.ARN(name))
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
				policy.Allow(d.Setup.AllRepositories(), policy.ActionReadTags).Pasteable()
		}
		return f
	}
	return d.owner(byKey(list), resource, requestID(id))
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
		if aws.ToString(r.RepositoryArn) != d.Setup.ARN(aws.ToString(r.RepositoryName)) { // another registry's
			d.listing.names, d.listing.whole = nil, false
			return
		}
		d.listing.names = append(d.listing.names, scrub.Printable(aws.ToString(r.RepositoryName)))
	}
}

func (d *checkup) missing(resource slog.Attr) diagnosis.Finding {
	name, project := d.repositoryName(), d.o.Project
	f := diagnosis.Finding{Status: diagnosis.Failed, Evidence: []slog.Attr{resource}}
	names, _ := d.listing.get()
	if slices.ContainsFunc(names, func(n string) bool { // then it is the prefix, and a likeness of names means nothing
		other, ok := strings.CutPrefix(n, d.Setup.RepoPrefix)
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
	switch owner := repositories.Owner(d.Setup, project, tags); {
	case !owner.Ours && d.Setup.Installation == "" && tags[policy.TagManaged] == policy.TagTrue && tags[policy.TagProject] == project:
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
	case d.Setup.ProjectIDs && owner.ProjectID == "":
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
	case installed && installation != d.Setup.Installation:
		return "correct installation, use a repo_prefix of your own, or name the project otherwise; if the repository should be this project's here, " + d.tagging()
	case other:
		return "use a repo_prefix of your own, or name the project otherwise; if the repository should be this project's, " + d.tagging()
	}
	return "if it should be, " + d.tagging()
}

// tagging is the command that says whose a repository is.
func (d *checkup) tagging() string {
	command := "tag it with rights of your own:\naws ecr tag-resource --region " + d.Setup.Region + " --resource-arn " + d.Setup.RepositoryARN(d.o.Project) +
		" --tags Key=" + policy.TagManaged + ",Value=" + policy.TagTrue + " Key=" + policy.TagProject + ",Value=" + d.o.Project
	if d.Setup.Installation != "" {
		command += " Key=" + policy.TagInstallation + ",Value=" + d.Setup.Installation
	}
	return command
}

// flagID is what names the project's id in a command of ours, where one is known or needed.
func (d *checkup) flagID() string {
	switch {
	case d.o.ProjectID != "":
		return " --id " + d.o.ProjectID
	case d.Setup.ProjectIDs:
		return " --id ID"
	default:
		return ""
	}
}
