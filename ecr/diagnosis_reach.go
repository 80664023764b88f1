package ecr

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// Whatever reaches into our repositories from elsewhere. Session policies deny it to our own sessions; others have it.

// unread is the finding for what the controller may not read, or couldn't.
func (d *checkup) unread(ctx context.Context, op string, err error, actions []string, resource string) diagnosis.Finding {
	f := d.failed(ctx, op, err)
	if kindOf(ctx, op, err) != provider.ErrAccessDenied {
		f.Status = diagnosis.Warned
		return f
	}
	f.Status, f.Summary = diagnosis.Skipped, "the controller may not "+op
	if refusalOf(err).explicit { // no Allow helps
		return f
	}
	f.Remedy = "it is optional: allow it to the controller (operator policies diagnose), or run the diagnosis with rights that include it\n" +
		policy.Allow(resource, actions...).Pasteable()
	return f
}

func (d *checkup) checkRepositoryPolicy(ctx context.Context) diagnosis.Finding {
	const op = "read the repository's policy"
	name := d.repositoryName()
	out, err := d.upstream.registry.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RepositoryName: aws.String(name)}, d.asController)
	var none *types.RepositoryPolicyNotFoundException
	if errors.As(err, &none) {
		return passed("the repository has no policy of its own")
	}
	if err == nil && aws.ToString(out.RepositoryName) != name {
		err = anothers
	}
	if err != nil {
		return d.unread(ctx, op, err, []string{policy.ActionReadPolicy}, d.setup.AllRepositories())
	}
	return d.grants("the repository's policy", aws.ToString(out.PolicyText), "aws ecr delete-repository-policy --repository-name "+name,
		d.requestID(out.ResultMetadata))
}

func (d *checkup) checkRegistryPolicy(ctx context.Context) diagnosis.Finding {
	out, err := d.upstream.registry.GetRegistryPolicy(ctx, &ecr.GetRegistryPolicyInput{}, d.asController)
	var none *types.RegistryPolicyNotFoundException
	if errors.As(err, &none) {
		return passed("the registry has no policy")
	}
	if err != nil {
		return d.unread(ctx, "read the registry's policy", err, policy.RegistryReads(), "*")
	}
	return d.grants("the registry's policy", aws.ToString(out.PolicyText),
		"aws ecr get-registry-policy; aws ecr put-registry-policy --policy-text file://narrowed.json",
		d.requestID(out.ResultMetadata))
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
	out, err := d.upstream.registry.DescribeRepositoryCreationTemplates(ctx,
		&ecr.DescribeRepositoryCreationTemplatesInput{MaxResults: aws.Int32(1000)}, d.asController)
	if err != nil {
		return d.unread(ctx, "read the registry's creation templates", err, policy.RegistryReads(), "*")
	}
	var reach []string
	for _, t := range out.RepositoryCreationTemplates {
		prefix := scrub.Printable(aws.ToString(t.Prefix))
		if d.overlaps(prefix) && slices.Contains(t.AppliedFor, types.RCTAppliedForCreateOnPush) {
			reach = append(reach, prefix)
		}
	}
	return d.intruders(reach, "creation template", "creates repositories on push",
		"aws ecr delete-repository-creation-template --prefix ", d.requestID(out.ResultMetadata))
}

func (d *checkup) checkCacheRules(ctx context.Context) diagnosis.Finding {
	out, err := d.upstream.registry.DescribePullThroughCacheRules(ctx,
		&ecr.DescribePullThroughCacheRulesInput{MaxResults: aws.Int32(1000)}, d.asController)
	if err != nil {
		return d.unread(ctx, "read the registry's pull-through cache rules", err, policy.RegistryReads(), "*")
	}
	var reach []string
	for _, r := range out.PullThroughCacheRules {
		if prefix := scrub.Printable(aws.ToString(r.EcrRepositoryPrefix)); d.overlaps(prefix) {
			reach = append(reach, prefix)
		}
	}
	return d.intruders(reach, "pull-through cache rule", "creates repositories on pull",
		"aws ecr delete-pull-through-cache-rule --ecr-repository-prefix ", d.requestID(out.ResultMetadata))
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
	out, err := d.upstream.registry.GetSigningConfiguration(ctx, &ecr.GetSigningConfigurationInput{}, d.asController)
	var none *types.SigningConfigurationNotFoundException
	switch {
	case errors.As(err, &none):
		return passed("ECR's managed signing isn't configured")
	case err != nil:
		return d.unread(ctx, "read the registry's signing configuration", err, policy.RegistryReads(), "*")
	}
	evidence := d.requestID(out.ResultMetadata)
	if out.SigningConfiguration != nil {
		for _, rule := range out.SigningConfiguration.Rules {
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
	}
	return passed("ECR's managed signing isn't for repositories under "+d.config.RepoPrefix, evidence)
}
