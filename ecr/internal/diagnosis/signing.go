package diagnosis

import (
	"context"
	"log/slog"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

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
			return policy.Reaches(aws.ToString(f.Filter), d.Setup.RepoPrefix)
		}) {
			return diagnosis.Finding{
				Status:   diagnosis.Warned,
				Summary:  "ECR's managed signing is configured for repositories under " + d.Setup.RepoPrefix + ", and what is pushed there stays unsigned: it needs signer:SignPayload, which sessions are denied by design",
				Remedy:   "narrow the rule's repository filters (aws ecr get-signing-configuration), and sign by a role of your own after the push",
				Evidence: []slog.Attr{evidence, slog.String("signing_profile_arn", scrub.Printable(aws.ToString(rule.SigningProfileArn)))},
			}
		}
	}
	return passed("ECR's managed signing isn't for repositories under "+d.Setup.RepoPrefix, evidence)
}
