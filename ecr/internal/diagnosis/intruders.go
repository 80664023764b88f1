package diagnosis

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// root is the prefix of templates and rules that are for all repositories.
const root = "ROOT"

func (d *checkup) checkTemplates(ctx context.Context) diagnosis.Finding {
	templates, id, err := d.asController().CreationTemplates(ctx)
	if err != nil {
		return d.unread(ctx, err, "*", policy.RegistryReads()...)
	}
	var reach []string
	for _, t := range templates {
		prefix := scrub.Printable(aws.ToString(t.Prefix))
		if d.overlaps(prefix) && slices.Contains(t.AppliedFor, types.RCTAppliedForCreateOnPush) {
			reach = append(reach, prefix)
		}
	}
	return d.intruders(reach, "creation template", "creates repositories on push",
		"aws ecr delete-repository-creation-template --prefix ", requestID(id))
}

func (d *checkup) checkCacheRules(ctx context.Context) diagnosis.Finding {
	rules, id, err := d.asController().CacheRules(ctx)
	if err != nil {
		return d.unread(ctx, err, "*", policy.RegistryReads()...)
	}
	var reach []string
	for _, r := range rules {
		if prefix := scrub.Printable(aws.ToString(r.EcrRepositoryPrefix)); d.overlaps(prefix) {
			reach = append(reach, prefix)
		}
	}
	return d.intruders(reach, "pull-through cache rule", "creates repositories on pull",
		"aws ecr delete-pull-through-cache-rule --ecr-repository-prefix ", requestID(id))
}

// overlaps reports whether repositories under a template's or rule's prefix, which may lack the slash at its end, can be under ours.
func (d *checkup) overlaps(prefix string) bool {
	ours, theirs := d.Setup.RepoPrefix, strings.TrimSuffix(prefix, "/")+"/"
	return prefix == root || strings.HasPrefix(theirs, ours) || strings.HasPrefix(ours, theirs)
}

func (d *checkup) intruders(prefixes []string, what, does, command string, evidence slog.Attr) diagnosis.Finding {
	if len(prefixes) == 0 {
		return passed("no "+what+" reaches into "+d.Setup.RepoPrefix, evidence)
	}
	slices.Sort(prefixes)
	return diagnosis.Finding{
		Status: diagnosis.Warned, Evidence: []slog.Attr{evidence, slog.String("prefixes", strings.Join(prefixes, " "))},
		Summary: "a " + what + " that " + does + " reaches into " + d.Setup.RepoPrefix + ": " + strings.Join(prefixes, ", ") +
			"; such repositories lack the tags that make them ours",
		Remedy: "use another repo_prefix, or take it away: " + command + prefixes[0],
	}
}
