package ecr

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// Whatever reaches into our repositories from elsewhere. Session policies deny it to our own sessions; others have it.

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

// asController reads ECR as the controller.
func (d *checkup) asController() awsapi.Registry { return d.once.Registry(d.controller) }

func (d *checkup) checkRepositoryPolicy(ctx context.Context) diagnosis.Finding {
	name := d.repositoryName()
	document, err := d.asController().RepositoryPolicy(ctx, name)
	switch {
	case err != nil:
		return d.unread(ctx, err, d.setup.AllRepositories(), policy.ActionReadPolicy)
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
	found, err := d.setup.StrangersHere(text)
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

// root is the prefix of templates and rules that are for all repositories.
const root = "ROOT"

// overlaps reports whether repositories under a template's or rule's prefix, which may lack the slash at its end, can be under ours.
func (d *checkup) overlaps(prefix string) bool {
	ours, theirs := d.config.RepoPrefix, strings.TrimSuffix(prefix, "/")+"/"
	return prefix == root || strings.HasPrefix(theirs, ours) || strings.HasPrefix(ours, theirs)
}

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

func (d *checkup) intruders(prefixes []string, what, does, command string, evidence slog.Attr) diagnosis.Finding {
	if len(prefixes) == 0 {
		return passed("no "+what+" reaches into "+d.config.RepoPrefix, evidence)
	}
	slices.Sort(prefixes)
	return diagnosis.Finding{
		Status: diagnosis.Warned, Evidence: []slog.Attr{evidence, slog.String("prefixes", strings.Join(prefixes, " "))},
		Summary: "a " + what + " that " + does + " reaches into " + d.config.RepoPrefix + ": " + strings.Join(prefixes, ", ") +
			"; such repositories lack the tags that make them ours",
		Remedy: "use another repo_prefix, or take it away: " + command + prefixes[0],
	}
}

// checkSigning is about ECR's managed signing, which signs what is pushed with the pusher's own rights (ECR User Guide, "Managed signing").
func (d *checkup) checkSigning(ctx context.Context) diagnosis.Finding {
	signing, id, err := d.asController().Signing(ctx)
	switch {
	case err != nil:
		return d.unread(ctx, err, "*", policy.RegistryReads()...)
	case signing == nil:
		return passed("ECR's managed signing isn't configured")
	}
	evidence := requestID(id)
	for _, rule := range signing.Rules {
		if len(rule.RepositoryFilters) == 0 || slices.ContainsFunc(rule.RepositoryFilters, func(f types.SigningRepositoryFilter) bool {
			return policy.Reaches(aws.ToString(f.Filter), d.config.RepoPrefix)
		}) {
			return diagnosis.Finding{
				Status:   diagnosis.Warned,
				Summary:  "ECR's managed signing is configured for repositories under " + d.config.RepoPrefix + ", and what is pushed there stays unsigned: it needs signer:SignPayload, which sessions are denied by design",
				Remedy:   "narrow the rule's repository filters (aws ecr get-signing-configuration), and sign by a role of your own after the push",
				Evidence: []slog.Attr{evidence, slog.String("signing_profile_arn", scrub.Printable(aws.ToString(rule.SigningProfileArn)))},
			}
		}
	}
	return passed("ECR's managed signing isn't for repositories under "+d.config.RepoPrefix, evidence)
}
