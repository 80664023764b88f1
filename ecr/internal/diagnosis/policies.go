package diagnosis

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// Whatever reaches into our repositories from elsewhere. Session policies deny it to our own sessions; others have it.

func (d *checkup) checkRepositoryPolicy(ctx context.Context) diagnosis.Finding {
	name := d.repositoryName()
	document, err := d.asController().RepositoryPolicy(ctx, name)
	switch {
	case err != nil:
		return d.unread(ctx, err, d.Setup.AllRepositories(), policy.ActionReadPolicy)
	case !document.Exists:
		return passed("the repository has no policy of its own")
	}
	return d.grants("the repository's policy", document.Text, "aws ecr delete-repository-policy --repository-name "+name, requestID(document.RequestID))
}

func (d *checkup) checkRegistryPolicy(ctx context.Context) diagnosis.Finding {
	document, err := d.asController().Policy(ctx)
	switch {
	case err != nil:
		return d.unread(ctx, err, "*", policy.RegistryReads()...)
	case !document.Exists:
		return passed("the registry has no policy")
	}
	return d.grants("the registry's policy", document.Text,
		"aws ecr get-registry-policy; aws ecr put-registry-policy --policy-text file://narrowed.json", requestID(document.RequestID))
}

// grants looks for statements that let others than the account in and whose resources, if they name any, reach our repositories.
func (d *checkup) grants(what, text, command string, evidence slog.Attr) diagnosis.Finding {
	found, err := d.Setup.StrangersHere(text)
	if err != nil {
		return diagnosis.Finding{Status: diagnosis.Warned, Summary: what + " can't be understood",
			Remedy: "look at it: " + command, Evidence: []slog.Attr{evidence}}
	}
	if len(found) == 0 {
		return passed(what+" lets nobody but the account into our repositories", evidence)
	}
	var who []string
	for _, w := range found {
		who = append(who, scrub.Printable(w))
	}
	slices.Sort(who)
	who = slices.Compact(who)
	return diagnosis.Finding{
		Status: diagnosis.Warned, Summary: what + " lets others into our repositories: " + strings.Join(who, ", "),
		Remedy:   "our own sessions can't use it, others can; take out what isn't meant: " + command,
		Evidence: []slog.Attr{evidence, slog.String("principals", strings.Join(who, " "))},
	}
}
