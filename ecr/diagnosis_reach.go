package ecr

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Whatever reaches into our repositories from elsewhere. Session policies deny it to our own sessions; others have it.

// unread is the finding for what the controller may not read, or couldn't.
func (d *diagnosis) unread(ctx context.Context, op string, err error, actions []string, resource string) provider.Finding {
	f := d.failed(ctx, op, err)
	if kindOf(ctx, op, err) != provider.ErrAccessDenied {
		f.Status = provider.Warned
		return f
	}
	f.Status, f.Summary = provider.Skipped, "the controller may not "+op
	if refusalOf(err).explicit { // no Allow helps
		return f
	}
	f.Remedy = "it is optional: allow it to the controller (operator policies diagnose), or run the diagnosis with rights that include it\n" +
		policyOf(allow(actions, resource))
	return f
}

func (d *diagnosis) checkRepositoryPolicy(ctx context.Context) provider.Finding {
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
		return d.unread(ctx, op, err, []string{"ecr:GetRepositoryPolicy"}, d.repositoryARN+d.config.RepoPrefix+"*")
	}
	return d.grants("the repository's policy", aws.ToString(out.PolicyText), "aws ecr delete-repository-policy --repository-name "+name,
		d.requestID(out.ResultMetadata))
}

func (d *diagnosis) checkRegistryPolicy(ctx context.Context) provider.Finding {
	out, err := d.upstream.registry.GetRegistryPolicy(ctx, &ecr.GetRegistryPolicyInput{}, d.asController)
	var none *types.RegistryPolicyNotFoundException
	if errors.As(err, &none) {
		return passed("the registry has no policy")
	}
	if err != nil {
		return d.unread(ctx, "read the registry's policy", err, registryReads, "*")
	}
	return d.grants("the registry's policy", aws.ToString(out.PolicyText),
		"aws ecr get-registry-policy; aws ecr put-registry-policy --policy-text file://narrowed.json",
		d.requestID(out.ResultMetadata))
}

// grants looks for statements that let others than the account in and whose resources, if they name any, reach our repositories.
func (d *diagnosis) grants(what, text, command string, evidence slog.Attr) provider.Finding {
	unclear := provider.Finding{Status: provider.Warned, Summary: what + " can't be understood",
		Remedy: "look at it: " + command, Evidence: []slog.Attr{evidence}}
	var policy struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return unclear
	}
	list, err := statementsOf(policy.Statement)
	if err != nil {
		return unclear
	}
	var who []string
	ours := d.repositoryARN + d.config.RepoPrefix
	for _, s := range list {
		if len(s.Resource) > 0 && !slices.ContainsFunc(s.Resource, func(r string) bool { return reaches(r, ours) }) {
			continue
		}
		one, err := json.Marshal(object{"Statement": s})
		if err != nil {
			return unclear
		}
		found, err := strangers(string(one), d.partition(), d.config.AccountID)
		if err != nil {
			return unclear
		}
		for _, w := range found {
			who = append(who, scrub.Printable(w))
		}
	}
	slices.Sort(who)
	who = slices.Compact(who)
	if len(who) == 0 {
		return passed(what+" lets nobody but the account into our repositories", evidence)
	}
	return provider.Finding{
		Status: provider.Warned, Summary: what + " lets others into our repositories: " + strings.Join(who, ", "),
		Remedy:   "our own sessions can't use it, others can; take out what isn't meant: " + command,
		Evidence: []slog.Attr{evidence, slog.String("principals", strings.Join(who, " "))},
	}
}

// reaches reports whether a resource pattern, in which * stands for any text and ? for one character, matches a repository of prefix and
// some project's name.
func reaches(pattern, prefix string) bool {
	// open are the places in pattern from which what comes next may be matched.
	open := make([]bool, len(pattern)+1)
	open[0] = true
	for i := range len(prefix) {
		next := make([]bool, len(pattern)+1)
		for place := range len(pattern) {
			if !open[place] {
				continue
			}
			switch pattern[place] {
			case '*':
				next[place], open[place+1] = true, true // it takes one character more, or ends before
			case '?', prefix[i]:
				next[place+1] = true
			}
		}
		open = next
	}
	for place, is := range open {
		if is && projectPattern.MatchString(pattern[place:]) {
			return true
		}
	}
	return false
}

// projectPattern matches a pattern that a project's name may match.
var projectPattern = regexp.MustCompile(`^[a-z0-9*?-]+$`)

// texts is a text or a list of them, as IAM has it.
type texts []string

func (t *texts) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

type grant struct {
	Effect       string
	Principal    json.RawMessage `json:",omitempty"`
	NotPrincipal json.RawMessage `json:",omitempty"`
	Resource     texts           `json:",omitempty"`
}

// statementsOf reads a statement or a list of them.
func statementsOf(element json.RawMessage) ([]grant, error) {
	var one grant
	if json.Unmarshal(element, &one) == nil {
		return []grant{one}, nil
	}
	var list []grant
	err := json.Unmarshal(element, &list)
	return list, err
}

// root is the prefix of templates and rules that are for all repositories.
const root = "ROOT"

// overlaps reports whether repositories under a template's or rule's prefix, which may lack the slash at its end, can be under ours.
func (d *diagnosis) overlaps(prefix string) bool {
	ours, theirs := d.config.RepoPrefix, strings.TrimSuffix(prefix, "/")+"/"
	return prefix == root || strings.HasPrefix(theirs, ours) || strings.HasPrefix(ours, theirs)
}

func (d *diagnosis) checkTemplates(ctx context.Context) provider.Finding {
	out, err := d.upstream.registry.DescribeRepositoryCreationTemplates(ctx,
		&ecr.DescribeRepositoryCreationTemplatesInput{MaxResults: aws.Int32(1000)}, d.asController)
	if err != nil {
		return d.unread(ctx, "read the registry's creation templates", err, registryReads, "*")
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

func (d *diagnosis) checkCacheRules(ctx context.Context) provider.Finding {
	out, err := d.upstream.registry.DescribePullThroughCacheRules(ctx,
		&ecr.DescribePullThroughCacheRulesInput{MaxResults: aws.Int32(1000)}, d.asController)
	if err != nil {
		return d.unread(ctx, "read the registry's pull-through cache rules", err, registryReads, "*")
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

func (d *diagnosis) intruders(prefixes []string, what, does, command string, evidence slog.Attr) provider.Finding {
	if len(prefixes) == 0 {
		return passed("no "+what+" reaches into "+d.config.RepoPrefix, evidence)
	}
	slices.Sort(prefixes)
	return provider.Finding{
		Status: provider.Warned, Evidence: []slog.Attr{evidence, slog.String("prefixes", strings.Join(prefixes, " "))},
		Summary: "a " + what + " that " + does + " reaches into " + d.config.RepoPrefix + ": " + strings.Join(prefixes, ", ") +
			"; such repositories lack the tags that make them ours",
		Remedy: "use another repo_prefix, or take it away: " + command + prefixes[0],
	}
}

// checkSigning is about ECR's managed signing, which signs what is pushed with the pusher's own rights (ECR User Guide, "Managed signing").
func (d *diagnosis) checkSigning(ctx context.Context) provider.Finding {
	out, err := d.upstream.registry.GetSigningConfiguration(ctx, &ecr.GetSigningConfigurationInput{}, d.asController)
	var none *types.SigningConfigurationNotFoundException
	switch {
	case errors.As(err, &none):
		return passed("ECR's managed signing isn't configured")
	case err != nil:
		return d.unread(ctx, "read the registry's signing configuration", err, registryReads, "*")
	}
	evidence := d.requestID(out.ResultMetadata)
	if out.SigningConfiguration != nil {
		for _, rule := range out.SigningConfiguration.Rules {
			if len(rule.RepositoryFilters) == 0 || slices.ContainsFunc(rule.RepositoryFilters, func(f types.SigningRepositoryFilter) bool {
				return reaches(aws.ToString(f.Filter), d.config.RepoPrefix)
			}) {
				return provider.Finding{
					Status:   provider.Warned,
					Summary:  "ECR's managed signing is configured for repositories under " + d.config.RepoPrefix + ", and what is pushed there stays unsigned: it needs signer:SignPayload, which sessions are denied by design",
					Remedy:   "narrow the rule's repository filters (aws ecr get-signing-configuration), and sign by a role of your own after the push",
					Evidence: []slog.Attr{evidence, slog.String("signing_profile_arn", scrub.Printable(aws.ToString(rule.SigningProfileArn)))},
				}
			}
		}
	}
	return passed("ECR's managed signing isn't for repositories under "+d.config.RepoPrefix, evidence)
}
