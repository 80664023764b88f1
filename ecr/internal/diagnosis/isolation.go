package diagnosis

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/repositories"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// neighbours is of how many repositories checkIsolation reads the tags at most.
const neighbours = 5

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

// neighbour is another project's repository, and whether it exists. It is one that the push role's own policy denies for no other
// reason than that it is another project's; empty where there are only such that it does.
func (d *checkup) neighbour(ctx context.Context) (name string, exists bool) {
	names, _ := d.listing.get()
	tried := 0
	for _, n := range names {
		project, ok := strings.CutPrefix(n, d.Setup.RepoPrefix)
		if !ok || project == d.o.Project || provider.ValidateProject(project) != nil {
			continue
		}
		if tried++; tried > neighbours {
			break
		}
		list, _, err := d.asController().Tags(ctx, d.Setup.ARN(n))
		if err != nil {
			continue
		}
		tags := byKey(list)
		if owner := repositories.Owner(d.Setup, project, tags); tags[policy.TagManaged] == policy.TagTrue && !owner.Orphaned && !owner.Suspended {
			return n, true
		}
	}
	if tried > 0 {
		return "", false
	}
	return d.Setup.RepoPrefix + "diagnose-other", false
}
