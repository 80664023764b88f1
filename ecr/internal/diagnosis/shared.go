package diagnosis

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/internal/sharedrepo"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// notFetched is what surprises whoever shares a pull-through cache's repositories.
const notFetched = "what a pull-through cache doesn't hold yet isn't fetched by a pull with a credential"

// checkShared asks for an image of each shared repository as a client would. Of a pattern it takes one repository that is there.
func (d *checkup) checkShared(ctx context.Context) diagnosis.Finding {
	var found []string
	var doubt diagnosis.Finding
	for _, entry := range d.Setup.SharedRepositories {
		name := entry
		if strings.HasSuffix(entry, "*") {
			var f diagnosis.Finding
			if name, f = d.below(ctx, entry); name == "" {
				if doubt.Status != diagnosis.Warned {
					doubt = f
				}
				continue
			}
		}
		if f := d.pullShared(ctx, name); f.Status != diagnosis.Passed {
			return f
		}
		found = append(found, name)
	}
	if doubt.Summary != "" {
		return doubt
	}
	return passed("the credential can pull what is shared; "+notFetched, slog.String("repositories", strings.Join(found, " ")))
}

// below returns a repository that entry matches, or why there is none to try with.
func (d *checkup) below(ctx context.Context, entry string) (string, diagnosis.Finding) {
	names, whole := d.listing.get()
	if len(names) == 0 && !whole {
		d.list(ctx)
		names, whole = d.listing.get()
	}
	if i := slices.IndexFunc(names, func(n string) bool { return sharedrepo.Has([]string{entry}, n) }); i >= 0 {
		return names[i], diagnosis.Finding{}
	}
	f := diagnosis.Finding{Evidence: []slog.Attr{slog.String("pattern", entry)}}
	if !whole {
		f.Status, f.Summary = diagnosis.Skipped, "no repository of "+entry+" (shared_repositories) is among those that were looked through"
		return "", f
	}
	f.Status, f.Summary = diagnosis.Warned, "there is no repository of "+entry+" (shared_repositories) yet; "+notFetched
	f.Remedy = "make one and push to it, or pull once through the cache, with rights of your own: credentials have neither ecr:CreateRepository nor " +
		"ecr:BatchImportUpstreamImage; or take the entry out of shared_repositories"
	return "", f
}

// pullShared asks for an image that isn't there, as whether it may be is what counts.
func (d *checkup) pullShared(ctx context.Context, name string) diagnosis.Finding {
	const action = "ecr:BatchGetImage"
	a := d.host.Do(ctx, http.MethodGet, d.login.base+"/v2/"+name+"/manifests/"+noSuchTag, d.login.user)
	f := diagnosis.Finding{Status: diagnosis.Failed, Evidence: append(a.Evidence, slog.String("action", action), slog.String("repository", name))}
	code, text := ociCode(a.Body), scrub.Said(strings.ReplaceAll(ociMessage(a.Body), "\n", " "), d.once.Secrets(), d.Setup.AccountID, name)
	denied := failure.NewRefusal(code, text)
	switch {
	case a.Failure != nil:
		f.Summary, f.Remedy = "the image registry can't be used: "+a.Failure.Summary, a.Failure.Remedy
	case a.Status == http.StatusOK || a.Status == http.StatusNotFound && code != "NAME_UNKNOWN":
		f.Status = diagnosis.Passed
	case a.Status == http.StatusForbidden && slices.Contains([]string{"ecr:BatchImportUpstreamImage", "ecr:CreateRepository"}, denied.Action):
		f.Status = diagnosis.Passed // it may be pulled, and a cache doesn't hold it
	case a.Status == http.StatusNotFound:
		f.Summary = "there is no repository " + name + ", which shared_repositories names; " + notFetched
		f.Remedy = "make it and push to it, with rights of your own, or take it out of shared_repositories"
	case a.Status == http.StatusForbidden:
		f.Evidence = append(f.Evidence, slog.String("error", text))
		f.Summary, f.Remedy = d.deniedShared(denied, name)
	default:
		f.Summary, f.Remedy = "the image registry gave no clear answer about the shared repository "+name, "try again later; see the evidence"
	}
	return f
}

// deniedShared explains why the session may not pull from a shared repository.
func (d *checkup) deniedShared(r failure.Refusal, name string) (summary, remedy string) {
	const again = "make the push and the pull role's policies again: apply the Terraform module, or operator policies push, operator policies pull"
	switch {
	case r.Explicit && r.Layer != "identity-based policy":
		return "a Deny in " + r.TheLayer() + " forbids the push role's session to pull from the shared repository " + name, "take it out, or except this"
	case r.Explicit:
		return "the push role's own policy denies what shared_repositories names, " + name + ": it was made for another configuration", again
	case r.Layer != "" && r.Layer != "identity-based policy":
		return "the " + r.Layer + " of the push role doesn't allow to pull from the shared repository " + name, "allow it there\n" + d.Setup.SharedStatements().Pasteable()
	}
	return "the push role's own policy doesn't allow what shared_repositories names, " + name + ": it was made for another configuration",
		again + "\n" + d.Setup.SharedStatements().Pasteable()
}
